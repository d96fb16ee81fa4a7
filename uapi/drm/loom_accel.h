/* SPDX-License-Identifier: MIT */
/*
 * The driver's interface: /dev/accel/accelN, driver name "loom".
 *
 * Rules of evolution
 * - Structs grow at their end only; DRM core zero-fills what an older user space does not pass and cuts what a
 *   newer one does; the kernel refuses (E2BIG) a longer array row whose tail is not zero.
 * - Arrays are struct drm_loom_array {stride, count, pointer}.
 * - Every pad and every unknown flag must be 0, else EINVAL.
 * - Deadlines are absolute CLOCK_MONOTONIC nanoseconds.
 * - The layout is the same on 32 and 64 bit.
 *
 * Errors that all calls share: EINVAL malformed arguments; EFAULT bad pointer; ENOENT no object of that handle;
 * ENODEV the device is gone; ENOMEM; EINTR (restarted by DRM's wrappers).
 *
 * Waiting is DRM core's: DRM_IOCTL_SYNCOBJ_WAIT, _TIMELINE_WAIT, _EVENTFD.
 */
#ifndef _LOOM_ACCEL_H_
#define _LOOM_ACCEL_H_

#include "drm.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define DRM_LOOM_VERSION_MAJOR 1
#define DRM_LOOM_VERSION_MINOR 1

enum drm_loom_ioctl_id {
	DRM_LOOM_DEV_QUERY = 0,
	DRM_LOOM_CTX_CREATE,
	DRM_LOOM_CTX_DESTROY,
	DRM_LOOM_CTX_GET_STATE,
	DRM_LOOM_BO_CREATE,
	DRM_LOOM_BO_MMAP_OFFSET,
	DRM_LOOM_BO_SET_LABEL,
	DRM_LOOM_PROG_CREATE,
	DRM_LOOM_PROG_DESTROY,
	DRM_LOOM_INST_CREATE,
	DRM_LOOM_INST_DESTROY,
	DRM_LOOM_INST_RESET,
	DRM_LOOM_INST_GET_STATE,
	DRM_LOOM_SUBMIT,
};

/* An array in user memory whose rows may be longer or shorter than the kernel's. */
struct drm_loom_array {
	__u32 stride; /* bytes a row; 0 with count 0 */
	__u32 count; /* rows */
	__u64 array; /* user pointer; 0 with count 0 */
};

/* DEV_QUERY types. */
enum drm_loom_query {
	DRM_LOOM_QUERY_HW = 0, /* struct drm_loom_hw */
	DRM_LOOM_QUERY_LIMITS = 1, /* struct drm_loom_limits */
	DRM_LOOM_QUERY_ENGINES = 2, /* struct drm_loom_engines */
	DRM_LOOM_QUERY_TIME = 3, /* struct drm_loom_time */
	DRM_LOOM_QUERY_STATS = 4, /* struct drm_loom_stats */
};

/*
 * pointer 0: size returns the size of the type's struct. Else min(size, that) bytes are written, the rest of
 * size is zeroed, and size returns what was written. EINVAL: unknown type.
 */
struct drm_loom_dev_query {
	__u32 type; /* in: enum drm_loom_query */
	__u32 size; /* in: bytes at pointer; out: bytes of the answer */
	__u64 pointer; /* in: user pointer, or 0 */
};

/* The device, in the terms of struct loom_target (loom_target.h), which it embeds as raw words. */
struct drm_loom_hw {
	__u32 isa_major;
	__u32 isa_minor;
	__u64 features;
	__u16 rows;
	__u16 cols;
	__u32 sram_bytes;
	__u32 acc_bytes;
	__u16 sram_partitions;
	__u16 sram_banks;
	__u32 vpu_lanes;
	__u32 mem_classes;
	__u32 clock_khz;
	__u8 int8_div;
	__u8 bf16_div;
	__u8 f32_div;
	__u8 rsvd0;
	struct {
		__u32 bytes_per_cycle;
		__u32 latency;
		__u32 outstanding;
		__u32 rsvd;
	} mem[2];
	__u32 rsvd[2];
};

struct drm_loom_limits {
	__u64 max_bo_bytes;
	__u64 max_code_bytes;
	__u64 max_cycle_budget; /* of one segment; larger budgets are cut to this */
	__u64 max_insn_budget;
	__u32 max_segments; /* in a chain */
	__u32 max_bos; /* in a job */
	__u32 max_bindings; /* in a job */
	__u32 max_syncs; /* waits, and signals, of a job */
	__u32 max_jobs; /* in a SUBMIT */
	__u32 max_ctx; /* in a file */
	__u32 hang_ms; /* without progress, after which a job is killed */
	__u32 priorities; /* bit set by enum drm_loom_priority that the caller may ask for */
};

struct drm_loom_engines {
	__u32 npu; /* NPU engines: 1 */
	__u32 cpu; /* CPU engines: 0 where the CPU engine is absent or off */
	__u64 cpu_structures; /* bit set by enum loom_cpu_structure */
};

struct drm_loom_time {
	__u64 monotonic_ns; /* CLOCK_MONOTONIC */
	__u64 busy_cycles; /* of all jobs, from the device */
};

/* Counters of the device since the driver was bound. */
struct drm_loom_stats {
	__u64 jobs_submitted; /* segments given to the device */
	__u64 jobs_completed; /* segments completed without a fault */
	__u64 jobs_faulted;
	__u64 jobs_killed; /* by the watchdog */
	__u64 resets;
	__u64 irqs_lost; /* completions found by the watchdog */
	__u64 device_jobs; /* the device's own count: JOBS_RETIRED */
	__u64 cycles; /* modelled cycles of all completed segments */
	__u64 cpu_submitted; /* segments begun by the CPU engine */
	__u64 cpu_completed; /* of those, to their end */
	__u64 cpu_failed; /* of those, by a deadline or an injected error */
	__u64 cpu_cancelled; /* of those, because nobody waits or the device is gone */
	__u64 cpu_ns; /* that the CPU engine computed */
};

enum drm_loom_priority {
	DRM_LOOM_PRIORITY_LOW = 0,
	DRM_LOOM_PRIORITY_NORMAL = 1,
	DRM_LOOM_PRIORITY_HIGH = 2, /* needs CAP_SYS_NICE, else EACCES */
};

struct drm_loom_ctx_create {
	__u32 priority; /* in: enum drm_loom_priority */
	__u32 flags; /* in: must be 0 */
	__u32 ctx; /* out: handle, not 0 */
	__u32 pad;
};

/* Jobs in flight run to their end; the instances of the context go with it. */
struct drm_loom_ctx_destroy {
	__u32 ctx;
	__u32 pad;
};

#define DRM_LOOM_CTX_GUILTY 0x1u /* a job of this context hung the device; its SUBMITs give EIO */

struct drm_loom_ctx_get_state {
	__u32 ctx; /* in */
	__u32 state; /* out: DRM_LOOM_CTX_* */
	__u32 resets_guilty; /* out: resets that its jobs caused */
	__u32 resets_innocent; /* out: other resets since it was created */
};

#define DRM_LOOM_BO_NO_MMAP 0x1u /* never mapped by user space: MMAP_OFFSET gives EPERM */

struct drm_loom_bo_create {
	__u64 size; /* in: bytes; out: rounded up to pages. EINVAL: 0; E2BIG: above max_bo_bytes */
	__u32 flags; /* in: DRM_LOOM_BO_* */
	__u32 ctx; /* in: context to which the buffer is private (not exportable), or 0 */
	__u32 handle; /* out: GEM handle */
	__u32 pad;
};

struct drm_loom_bo_mmap_offset {
	__u32 handle; /* in */
	__u32 pad;
	__u64 offset; /* out: for mmap on the device's file */
};

#define DRM_LOOM_LABEL_MAX 64 /* bytes with the terminating NUL; longer: E2BIG */

struct drm_loom_bo_set_label {
	__u32 handle; /* in */
	__u32 pad;
	__u64 label; /* in: user pointer to a NUL-terminated string; 0 clears */
};

/*
 * Copies and checks the first meta_bytes of a container. The constants stay in consts_bo and are bound
 * read-only. ENOEXEC: the container is malformed, of another version, or for a device that this one is not a
 * superset of; message says which. EOPNOTSUPP: it has CPU segments, and this kernel does not run one of their
 * operations, or the CPU engine is off.
 */
struct drm_loom_prog_create {
	__u64 data; /* in: user pointer to the container's head */
	__u64 size; /* in: meta_bytes of its header */
	__u32 consts_bo; /* in: buffer with the constants, or 0 if it has none */
	__u32 flags; /* in: must be 0 */
	__u64 consts_offset; /* in: where they begin in it, multiple of 4096 */
	__u32 prog; /* out: handle, not 0 */
	__u32 message_size; /* in: bytes at message */
	__u64 message; /* in: user pointer for a NUL-terminated sentence on failure, or 0 */
};

struct drm_loom_prog_destroy {
	__u32 prog;
	__u32 pad;
};

/* Allocates and initialises the program's state and scratch. EOPNOTSUPP: CPU segments read constants in an imported buffer. */
struct drm_loom_inst_create {
	__u32 ctx; /* in */
	__u32 prog; /* in */
	__u32 flags; /* in: must be 0 */
	__u32 inst; /* out: handle, not 0 */
};

struct drm_loom_inst_destroy {
	__u32 inst;
	__u32 pad;
};

/* Waits for the instance's jobs, initialises its state again and clears LOST. */
struct drm_loom_inst_reset {
	__u32 inst;
	__u32 flags; /* must be 0 */
};

#define DRM_LOOM_INST_LOST 0x1u /* a segment failed; SUBMIT gives EIO until INST_RESET */

struct drm_loom_inst_get_state {
	__u32 inst; /* in */
	__u32 state; /* out: DRM_LOOM_INST_* */
	__u32 error; /* out: positive errno of the first failure since creation or reset, else 0 */
	__u32 segment; /* out: segment that failed, counted from the entry point's first */
	__u32 fault; /* out: enum loom_fault (loom_regs.h) */
	__u32 slot; /* out: slot of a memory fault */
	__u32 unit; /* out: instruction (unit index); CPU segment: number of the operation in the segment */
	__u32 loc; /* out: its source-table index */
	__u64 offset; /* out: as in struct loom_completion */
	__u64 limit; /* out: bytes that the slot, or SRAM, has */
	__u32 aux; /* out: trap code, semaphores waited for, or opcode */
	__u32 state_bo; /* in: slot number whose buffer is wanted, or ~0 */
	__u32 handle; /* out: GEM handle of that STATE slot's buffer (a new reference), else 0 */
	__u32 pad;
};

#define DRM_LOOM_SYNC_TIMELINE 0x1u /* handle is a timeline syncobj, point is 64 bits; else binary, point 0 */

struct drm_loom_sync {
	__u32 handle; /* syncobj */
	__u32 flags; /* DRM_LOOM_SYNC_* */
	__u64 point; /* waits: EINVAL if nobody has submitted it; signals: EINVAL unless it grows */
};

#define DRM_LOOM_ACCESS_READ 0x1u
#define DRM_LOOM_ACCESS_WRITE 0x2u

/* A buffer of a job, each once. */
struct drm_loom_job_bo {
	__u32 handle;
	__u32 access; /* DRM_LOOM_ACCESS_* */
};

/* Gives a slot of kind ARG its memory. EINVAL: a writable binding that overlaps another one. */
struct drm_loom_binding {
	__u32 slot; /* each ARG slot exactly once that the entry point's tensors, or no tensors, name; no others */
	__u32 bo_index; /* into bos */
	__u64 offset; /* in the buffer, multiple of 64 */
	__u64 size; /* at least the slot's declared bytes; the device sees exactly those */
};

struct drm_loom_job {
	__u32 inst; /* all of a SUBMIT's instances belong to one context */
	__u32 entry; /* entry point number */
	struct drm_loom_array bos; /* struct drm_loom_job_bo */
	struct drm_loom_array bindings; /* struct drm_loom_binding */
	struct drm_loom_array waits; /* struct drm_loom_sync */
	struct drm_loom_array signals; /* struct drm_loom_sync */
	__u32 report_bo; /* 1 + index into bos (access WRITE) of the buffer for reports, or 0 */
	__u32 flags; /* must be 0 */
	__u64 report_offset; /* multiple of 64 */
	__u64 report_size; /* bytes for one segment's report; that of the job's segment k is at report_offset + k * report_size */
	__u32 first_segment; /* with n_segments: where the job begins, counted from the entry point's first; else 0 */
	__u32 n_segments; /* 1 to 64: so many segments; 0: all of an entry point without a schedule */
};

/*
 * All or nothing: on error no job runs and no syncobj changes. EIO: a LOST instance or a guilty context. EOPNOTSUPP:
 * an entry point with a schedule and n_segments 0; CPU segments while the CPU engine is off, or with an imported
 * buffer in a slot that CPU segments of the program name, or for the report.
 */
struct drm_loom_submit {
	struct drm_loom_array jobs; /* struct drm_loom_job */
	__u32 flags; /* must be 0 */
	__u32 bad_job; /* out, on error: index of the job that was refused, or ~0 */
};

#define DRM_IOCTL_LOOM_DEV_QUERY DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_DEV_QUERY, struct drm_loom_dev_query)
#define DRM_IOCTL_LOOM_CTX_CREATE DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_CTX_CREATE, struct drm_loom_ctx_create)
#define DRM_IOCTL_LOOM_CTX_DESTROY DRM_IOW(DRM_COMMAND_BASE + DRM_LOOM_CTX_DESTROY, struct drm_loom_ctx_destroy)
#define DRM_IOCTL_LOOM_CTX_GET_STATE DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_CTX_GET_STATE, struct drm_loom_ctx_get_state)
#define DRM_IOCTL_LOOM_BO_CREATE DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_CREATE, struct drm_loom_bo_create)
#define DRM_IOCTL_LOOM_BO_MMAP_OFFSET                                                                                  \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_BO_MMAP_OFFSET, struct drm_loom_bo_mmap_offset)
#define DRM_IOCTL_LOOM_BO_SET_LABEL DRM_IOW(DRM_COMMAND_BASE + DRM_LOOM_BO_SET_LABEL, struct drm_loom_bo_set_label)
#define DRM_IOCTL_LOOM_PROG_CREATE DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_PROG_CREATE, struct drm_loom_prog_create)
#define DRM_IOCTL_LOOM_PROG_DESTROY DRM_IOW(DRM_COMMAND_BASE + DRM_LOOM_PROG_DESTROY, struct drm_loom_prog_destroy)
#define DRM_IOCTL_LOOM_INST_CREATE DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_INST_CREATE, struct drm_loom_inst_create)
#define DRM_IOCTL_LOOM_INST_DESTROY DRM_IOW(DRM_COMMAND_BASE + DRM_LOOM_INST_DESTROY, struct drm_loom_inst_destroy)
#define DRM_IOCTL_LOOM_INST_RESET DRM_IOW(DRM_COMMAND_BASE + DRM_LOOM_INST_RESET, struct drm_loom_inst_reset)
#define DRM_IOCTL_LOOM_INST_GET_STATE                                                                                  \
	DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_INST_GET_STATE, struct drm_loom_inst_get_state)
#define DRM_IOCTL_LOOM_SUBMIT DRM_IOWR(DRM_COMMAND_BASE + DRM_LOOM_SUBMIT, struct drm_loom_submit)

#if defined(__cplusplus)
}
#endif

#endif
