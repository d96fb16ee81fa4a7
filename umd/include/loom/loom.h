/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * libloom: devices, buffers, programs, instances, jobs.
 *
 * Every function that can fail returns 0 or a negative errno and, where it has a struct loom_error, a sentence
 * that names the thing, the place and the remedy. Handles are opaque; destroying NULL does nothing. Handles of one
 * device may be used from several threads; one handle from one thread at a time. An object keeps alive what it was
 * made from, so the order of destruction is free.
 */
#ifndef LOOM_LOOM_H
#define LOOM_LOOM_H

#include <stddef.h>
#include <stdint.h>

#include "loom_program.h"
#include "loom_regs.h"
#include "loom_target.h"

#if defined(__cplusplus)
extern "C" {
#endif

#define LOOM_API __attribute__((visibility("default")))

typedef struct loom_device loom_device;
typedef struct loom_buffer loom_buffer;
typedef struct loom_program loom_program;
typedef struct loom_instance loom_instance;
typedef struct loom_event loom_event;

struct loom_error {
	int code; /* negative errno, 0: no error */
	char message[1024];
};

/*
 * Opens a device. spec: "sim" (in-process, LOOM_SIM_TARGET), "sim:TARGET", "/dev/accel/accelN"; NULL takes the
 * environment's LOOM_DEVICE, else the first /dev/accel node whose driver is loom, else "sim".
 * -ENOENT: no such node; -EACCES: no permission; -ENODEV: another driver's device; -EINVAL: unknown target.
 * In-process: LOOM_ISA=scalar|avx2|avx512 forces the compute kernels, LOOM_THREADS=n computes on n threads (default:
 * one for each processor, at most 4), LOOM_CPU_FAIL=SEGMENT.OPERATION ends that CPU operation with fault TRAP, once.
 * /dev/accel: LOOM_CPU=user makes this process run the CPU segments of programs that it loads from then on; kernel, the
 * default, leaves them to the driver.
 */
LOOM_API int loom_device_open(const char *spec, loom_device **device, struct loom_error *error);
/* In-process device with any target. */
LOOM_API int loom_device_open_sim(const struct loom_target *target, loom_device **device, struct loom_error *error);
LOOM_API void loom_device_close(loom_device *device);
/* "sim" or the node's path. */
LOOM_API const char *loom_device_name(const loom_device *device);
LOOM_API const struct loom_target *loom_device_target(const loom_device *device);

struct loom_device_stats {
	uint64_t jobs_driver; /* NPU segments that the driver (or the in-process queue) saw complete */
	uint64_t jobs_device; /* segments that the device itself counted */
	uint64_t jobs_faulted;
	uint64_t resets;
	uint64_t cycles;       /* modelled, of all completed segments */
	uint64_t cpu_segments; /* that the CPU engine saw complete, in the kernel or in-process */
};

LOOM_API int loom_device_get_stats(loom_device *device, struct loom_device_stats *stats, struct loom_error *error);

/* A zeroed buffer of bytes (1 to 1 GiB), mapped for its whole life. */
LOOM_API int loom_buffer_create(loom_device *device, uint64_t bytes, loom_buffer **buffer, struct loom_error *error);
/*
 * A buffer over memory of the caller's, which must be 64-byte aligned and stay until the buffer and every job that it
 * is bound to are gone. In-process devices only; -EOPNOTSUPP elsewhere.
 */
LOOM_API int loom_buffer_wrap(loom_device *device, void *data, uint64_t bytes, loom_buffer **buffer,
			      struct loom_error *error);
LOOM_API void loom_buffer_destroy(loom_buffer *buffer);
LOOM_API void *loom_buffer_data(loom_buffer *buffer);
LOOM_API uint64_t loom_buffer_bytes(const loom_buffer *buffer);

/* Loads a .loom file, or its bytes; both CRCs are checked. -ENOEXEC: malformed, or for another device. */
LOOM_API int loom_program_open(loom_device *device, const char *path, loom_program **program, struct loom_error *error);
LOOM_API int loom_program_load(loom_device *device, const void *bytes, size_t size, loom_program **program,
			       struct loom_error *error);
/* The target that a .loom file was compiled for, without loading it. */
LOOM_API int loom_program_read_target(const char *path, struct loom_target *target, struct loom_error *error);
LOOM_API void loom_program_destroy(loom_program *program);
/* Checked pointers into the program, valid while it lives; see accel/core/prog_check.h. */
struct loom_prog_view;
LOOM_API const struct loom_prog_view *loom_program_get_view(const loom_program *program);
/* Number of the entry point of that name (NULL: the only one, else "__call__"), or -ENOENT. */
LOOM_API int loom_program_find_entry(const loom_program *program, const char *name, struct loom_error *error);
/* "mlp/Dense_0 (models.py:12, dot_general)" for a source-table index; always terminated. */
LOOM_API void loom_program_describe_loc(const loom_program *program, uint32_t loc, char *text, size_t size);
/*
 * "mlp/Dense_0": the module path of a source-table index of a program's view, empty outside of modules and for an
 * unknown index. Returns its bytes without the terminator; text of size bytes (it may be NULL where size is 0) holds
 * the first size - 1 of them, always terminated.
 */
LOOM_API size_t loom_program_module_path(const struct loom_prog_view *view, uint32_t loc, char *text, size_t size);

/* An instance owns the program's state and scratch. Its jobs run in the order of submission. */
LOOM_API int loom_instance_create(loom_program *program, loom_instance **instance, struct loom_error *error);
LOOM_API void loom_instance_destroy(loom_instance *instance);
/* After a failed job: waits, gives state its first values again, accepts jobs again. */
LOOM_API int loom_instance_reset(loom_instance *instance, struct loom_error *error);

/*
 * Copies bytes of the slot, of kind STATE, out of the instance or into it, after the jobs submitted before. -EINVAL:
 * the slot is no state, or has fewer bytes; -EIO: the instance is LOST, and its state undefined until it is reset.
 */
LOOM_API int loom_instance_read_state(loom_instance *instance, uint32_t slot, uint64_t offset, void *data,
				      uint64_t bytes, struct loom_error *error);
LOOM_API int loom_instance_write_state(loom_instance *instance, uint32_t slot, uint64_t offset, const void *data,
				       uint64_t bytes, struct loom_error *error);

/* Gives a slot of kind ARG, but for HIDDEN ones, its memory: offset is a multiple of 64. */
struct loom_binding {
	uint32_t slot;
	uint32_t rsvd; /* must be 0 */
	loom_buffer *buffer;
	uint64_t offset;
};

struct loom_job_desc {
	uint32_t entry;
	uint32_t n_bindings;
	const struct loom_binding *bindings;
	uint32_t n_waits;
	loom_event *const *waits;  /* run after these, whatever their outcome */
	uint32_t report_entries;   /* instructions to keep in the report, besides the counters */
	uint64_t run_report_bytes; /* room for the reports of all runs, see loom_event_run_report() */
};

/*
 * Submits; the event, to be destroyed by the caller, completes with the job. -EIO: the instance is LOST after an
 * earlier failure. The buffers may be destroyed at once; their memory lives until the job has ended.
 */
LOOM_API int loom_submit(loom_instance *instance, const struct loom_job_desc *desc, loom_event **event,
			 struct loom_error *error);

/* How a job ended. */
struct loom_result {
	int status;		    /* 0 or a negative errno: -EIO fault, -ETIME hang, -ECANCELED, -ENODEV */
	uint32_t segment;	    /* faults: segment of the entry point */
	struct loom_completion end; /* of the last segment that ran, or of the one that failed */
	uint64_t cycles;	    /* modelled, of all segments that ran */
	uint64_t insns;
	uint64_t macs[3];    /* products, by enum loom_mxu_type */
	char message[512];   /* failures: cause, slot, offset, instruction, module path, source line */
	uint64_t cpu_cycles; /* of cycles, those of CPU segments */
	uint64_t segments;   /* that ran; one in a loop counts each time */
};

/*
 * Submits, and waits for the end. Returns 0 if the job was accepted; result says how it ended. In-process, where no
 * job is before it, the calling thread does the work.
 */
LOOM_API int loom_run(loom_instance *instance, const struct loom_job_desc *desc, struct loom_result *result,
		      struct loom_error *error);

/* Waits up to timeout_ns (negative: for ever). 0: done, see result; -ETIME: not yet. result may be NULL. */
LOOM_API int loom_event_wait(loom_event *event, int64_t timeout_ns, struct loom_result *result);
/*
 * After completion: the report of a segment's last run, as its engine wrote it; NULL where it did not run. Lives with
 * the event.
 */
LOOM_API const struct loom_report *loom_event_report(loom_event *event, uint32_t segment);
/*
 * After completion: the report of the job's run-th run of a segment, in the order in which they ran, from 0; its
 * segment's number goes to *segment. NULL past the last, and from the first on that run_report_bytes had no room for.
 * Lives with the event.
 */
LOOM_API const struct loom_report *loom_event_run_report(loom_event *event, uint64_t run, uint32_t *segment);
LOOM_API void loom_event_destroy(loom_event *event);

/* Share of the array's peak that a result used: products at their own rate over rows * cols * cycles. */
LOOM_API double loom_utilisation(const struct loom_target *target, const struct loom_result *result);

/* Name of a fault, e.g. "SLOT_BOUNDS", and its sentence. */
LOOM_API const char *loom_fault_name(uint32_t fault);
LOOM_API const char *loom_fault_text(uint32_t fault);
/* "f32", "bf16", ...; "?" for an unknown type. */
LOOM_API const char *loom_dtype_name(uint32_t dtype);
/* "MAP", "REDUCE", ...: a structure of the CPU engine (uapi/loom_cpu_ops.h); "?" for an unknown one. */
LOOM_API const char *loom_cpu_structure_name(uint32_t structure);

/*
 * One record as text, without a newline: "12  MXU f32 conv ...". Returns the record's units, or 0 where bytes do
 * not hold one (text then says why). size_units: units left in the stream.
 */
LOOM_API unsigned loom_disassemble(const void *record, unsigned size_units, char *text, size_t size);

/*
 * The way back: the record of a line that loom_disassemble() wrote. Returns its units, or -EINVAL and why in words.
 * size_units: room at record, which need not be aligned.
 */
LOOM_API int loom_assemble(const char *text, void *record, unsigned size_units, char *why, size_t why_size);

#if defined(__cplusplus)
}
#endif

#endif
