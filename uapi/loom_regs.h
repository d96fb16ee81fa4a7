/* SPDX-License-Identifier: MIT */
/*
 * Loom's PCIe function: registers in BAR0, the job ring, the completion ring, region tables, page lists.
 *
 * All registers are little-endian; 32-bit ones take aligned 4-byte accesses, 64-bit ones aligned 8-byte accesses
 * or two of 4. Unknown registers read 0 and drop writes. docs/hardware.md takes its tables from here.
 */
#ifndef LOOM_REGS_H
#define LOOM_REGS_H

#include <linux/types.h>

#define LOOM_PCI_VENDOR_ID 0x1af4 /* the range 10f0-10ff is for experiments */
#define LOOM_PCI_DEVICE_ID 0x10f0
#define LOOM_PCI_CLASS 0x1200 /* processing accelerator */
#define LOOM_BAR0_BYTES 0x10000
#define LOOM_MSIX_TABLE 0x8000 /* in BAR0 */
#define LOOM_MSIX_PBA 0xc000 /* in BAR0 */
#define LOOM_MSIX_VECTORS 2
#define LOOM_VEC_QUEUE 0 /* a completion record was written */
#define LOOM_VEC_ADMIN 1 /* device error */

/* Registers: X(offset, name, bits, access, text). */
#define LOOM_REGS(X)                                                                                                   \
	X(0x000, ID, 32, RO, "0x4d4f4f4c, the characters LOOM")                                                        \
	X(0x004, ISA, 32, RO, "ISA version: major in bits 16-31, minor in 0-15")                                       \
	X(0x008, FEATURES, 64, RO, "enum loom_feature, one bit each")                                                  \
	X(0x010, ARRAY, 32, RO, "array rows in bits 0-15, columns in 16-31")                                           \
	X(0x014, SRAM_BYTES, 32, RO, "local memory in bytes")                                                          \
	X(0x018, SRAM_BANKS, 32, RO, "partitions in bits 0-15, banks in each in 16-31")                                \
	X(0x01c, ACC_BYTES, 32, RO, "accumulator memory in bytes")                                                     \
	X(0x020, VPU_LANES, 32, RO, "elements the vector unit handles a cycle")                                        \
	X(0x024, MEM_CLASSES, 32, RO, "number of memory classes")                                                      \
	X(0x028, CLOCK_KHZ, 32, RO, "clock, for converting cycles to time only")                                       \
	X(0x02c, MXU_RATES, 32, RO, "cycles a row: int8 in bits 0-7, bf16 in 8-15, f32 in 16-23")                      \
	X(0x030, MEM0_BANDWIDTH, 32, RO, "class 0: bytes a cycle")                                                     \
	X(0x034, MEM0_LATENCY, 32, RO, "class 0: cycles to the first byte")                                            \
	X(0x038, MEM0_OUTSTANDING, 32, RO, "class 0: bursts of 64 bytes in flight")                                    \
	X(0x040, MEM1_BANDWIDTH, 32, RO, "class 1: bytes a cycle")                                                     \
	X(0x044, MEM1_LATENCY, 32, RO, "class 1: cycles to the first byte")                                            \
	X(0x048, MEM1_OUTSTANDING, 32, RO, "class 1: bursts of 64 bytes in flight")                                    \
	X(0x050, MAX_SLOTS, 32, RO, "slots a job may bind")                                                            \
	X(0x100, CONTROL, 32, RW, "LOOM_CTL_*")                                                                        \
	X(0x104, STATUS, 32, RO, "LOOM_STS_*")                                                                         \
	X(0x108, ERROR, 32, RO, "enum loom_dev_error, why STATUS.ERROR is set; cleared by reset")                      \
	X(0x10c, IRQ_STATUS, 32, W1C, "bit 0: completion; bit 1: device error")                                        \
	X(0x110, IRQ_ENABLE, 32, RW, "bits as IRQ_STATUS; a vector is raised when an enabled bit becomes set")         \
	X(0x120, RING_BASE, 64, RW, "bus address of the job ring, 64-byte aligned; written while disabled")            \
	X(0x128, RING_ENTRIES, 32, RW, "entries, a power of two, 1 to 1024; written while disabled")                   \
	X(0x12c, RING_HEAD, 32, RO, "jobs taken, free-running")                                                        \
	X(0x130, DOORBELL, 32, WO, "jobs given, free-running: the tail is in the write")                               \
	X(0x140, CQ_BASE, 64, RW, "bus address of the completion ring, 64-byte aligned; written while disabled")       \
	X(0x148, CQ_ENTRIES, 32, RW, "entries, a power of two, 1 to 1024; written while disabled")                     \
	X(0x14c, CQ_HEAD, 32, RW, "records consumed by the driver, free-running")                                      \
	X(0x150, CQ_TAIL, 32, RO, "records written, free-running")                                                     \
	X(0x160, PROGRESS, 64, RO, "instructions retired by all jobs since reset")                                     \
	X(0x168, PROGRESS_JOB, 32, RO, "seqno of the job that runs; 0 when idle")                                      \
	X(0x180, JOBS_RETIRED, 64, RO, "jobs completed, with or without a fault, since power-on")                      \
	X(0x188, JOBS_FAULTED, 64, RO, "jobs completed with a fault, since power-on")                                  \
	X(0x190, BUSY_CYCLES, 64, RO, "cycles of all completed jobs, since power-on")                                  \
	X(0x198, RESETS, 32, RO, "resets by CONTROL or FLR, since power-on")

enum loom_reg {
#define LOOM_REG_ENUM(offset, name, bits, access, text) LOOM_REG_##name = offset,
	LOOM_REGS(LOOM_REG_ENUM)
#undef LOOM_REG_ENUM
};

#define LOOM_ID 0x4d4f4f4cu

#define LOOM_CTL_ENABLE 0x1u /* take jobs from the ring; set after both rings are described */
#define LOOM_CTL_HALT 0x2u /* stop the running job between two instructions; it completes with ABORTED */
#define LOOM_CTL_RESET 0x4u /* self-clearing: stop, forget rings and jobs, zero SRAM; no DMA after it reads 0 */

#define LOOM_STS_READY 0x1u
#define LOOM_STS_RUNNING 0x2u
#define LOOM_STS_HALTED 0x4u
#define LOOM_STS_ERROR 0x8u /* the device takes no more jobs until it is reset */

#define LOOM_IRQ_QUEUE 0x1u
#define LOOM_IRQ_ADMIN 0x2u

enum loom_dev_error {
	LOOM_DEV_OK = 0,
	LOOM_DEV_BAD_RING = 1, /* enabled with a ring that is misaligned or of a bad size */
	LOOM_DEV_BAD_DOORBELL = 2, /* the tail is more than the ring's size past the head */
	LOOM_DEV_RING_DMA = 3, /* reading the job ring failed */
	LOOM_DEV_CQ_DMA = 4, /* writing the completion ring failed */
	LOOM_DEV_CQ_OVERFLOW = 5, /* the completion ring is full */
};

#define LOOM_RIGHT_READ 0x1u
#define LOOM_RIGHT_WRITE 0x2u

/* One entry of a job's region table. Entry 0 is the code, entry 1 the report (bytes 0: none), entry 2 + i slot i. */
struct loom_region {
	__u64 root; /* bus address of the page list's root page; 0: slot not bound */
	__u64 offset; /* first byte of the region in the buffer that the page list describes, multiple of 64 */
	__u64 bytes; /* length of the region */
	__u32 rights; /* LOOM_RIGHT_* */
	__u32 mem_class; /* memory class, from the program's declaration */
};

#define LOOM_REGION_CODE 0
#define LOOM_REGION_REPORT 1
#define LOOM_REGION_SLOT0 2

/*
 * Page list: two levels of 512 entries of 8 bytes, for pages of 4 KiB: 1 GiB. An entry is a bus address with
 * LOOM_PTE_VALID; all other low bits must be 0. root[i] names the leaf of pages 512 * i and after.
 */
#define LOOM_PAGE_SHIFT 12
#define LOOM_PAGE_BYTES 4096u
#define LOOM_PTE_VALID 0x1ull
#define LOOM_PTE_PER_PAGE 512u
#define LOOM_MAX_BUFFER_BYTES (1ull << 30)

/* The largest budgets of a job that a driver grants: larger ones are cut to these. */
#define LOOM_MAX_CYCLE_BUDGET (1ull << 36)
#define LOOM_MAX_INSN_BUDGET (1ull << 26)

/* An entry of the job ring: 64 bytes. */
struct loom_job {
	__u64 table; /* bus address of the region table, 32-byte aligned */
	__u32 n_regions; /* entries in it, 2 to 2 + LOOM_MAX_SLOTS */
	__u32 seqno; /* comes back in the completion record; not 0 */
	__u32 first_unit; /* where the job begins in the code region */
	__u32 n_units; /* units of code that belong to it; pc outside is a FETCH fault */
	__u64 insn_budget; /* instructions the job may retire; not 0 */
	__u64 cycle_budget; /* modelled cycles the job may take; not 0 */
	__u32 flags; /* must be 0 */
	__u32 rsvd[5]; /* must be 0 */
};

/* Why a job ended: X(number, name, text). */
#define LOOM_FAULTS(X)                                                                                                 \
	X(0, NONE, "the job ran to HALT")                                                                              \
	X(1, OPCODE, "unknown opcode or micro-operation")                                                              \
	X(2, UNITS, "the record's length does not fit its opcode")                                                     \
	X(3, RESERVED, "a reserved field, or one unused by this opcode, is not 0")                                     \
	X(4, FEATURE, "the record needs a unit or mode that this device lacks")                                        \
	X(5, FIELD, "a field holds a value without a meaning")                                                         \
	X(6, CAP, "the record exceeds a cap on bytes, products or elements")                                           \
	X(7, FETCH, "the program counter left the job's code")                                                         \
	X(8, BRANCH, "a branch or loop target is outside the job's code")                                              \
	X(9, LOOP_NEST, "loops nest deeper than 4")                                                                    \
	X(10, SRAM_BOUNDS, "an access past the end of SRAM")                                                           \
	X(11, ACC_BOUNDS, "an access past the end of the accumulators")                                                \
	X(12, SLOT, "the slot is not bound")                                                                           \
	X(13, SLOT_BOUNDS, "an access outside the slot's bytes")                                                       \
	X(14, SLOT_RIGHTS, "a write to a read-only slot or a read of a write-only one")                                \
	X(15, ALIGN, "an SRAM operand is not aligned to its element")                                                  \
	X(16, SEM, "semaphore number out of range, or a count above 255")                                              \
	X(17, SEM_LEFT, "a semaphore is not zero at HALT")                                                             \
	X(18, DEADLOCK, "every queue that has work waits for a semaphore")                                             \
	X(19, BUDGET_INSNS, "instruction budget used up")                                                              \
	X(20, BUDGET_CYCLES, "cycle budget used up")                                                                   \
	X(21, TRAP, "the program trapped; aux is its code")                                                            \
	X(22, DMA, "the bus refused an access")                                                                        \
	X(23, PAGE_LIST, "a page list entry is not valid")                                                             \
	X(24, CODEC, "coded weights are malformed")                                                                    \
	X(25, JOB, "the job descriptor or region table is malformed")                                                  \
	X(26, ABORTED, "stopped by CONTROL.HALT")                                                                      \
	X(27, HAZARD, "not ordered against a record that touches the same bytes; aux is its unit; checker on only")

enum loom_fault {
#define LOOM_FAULT_ENUM(num, name, text) LOOM_FAULT_##name = num,
	LOOM_FAULTS(LOOM_FAULT_ENUM)
#undef LOOM_FAULT_ENUM
	LOOM_NUM_FAULTS = 28,
};

/* A completion record: 64 bytes, written after all of the job's data and before the interrupt. */
struct loom_completion {
	__u32 seqno; /* of the job */
	__u16 fault; /* enum loom_fault */
	__u16 slot; /* faults on memory: the slot, or LOOM_SLOT_SRAM */
	__u32 unit; /* faults: unit index of the record */
	__u32 loc; /* faults: its source-table index */
	__u64 offset; /* bounds: lowest byte of the operand if that is negative, else the byte after its last; other memory faults: its lowest byte */
	__u64 limit; /* faults on memory: bytes of the slot or SRAM */
	__u64 cycles; /* modelled cycles of the job */
	__u64 insns; /* instructions retired by the job */
	__u32 aux; /* TRAP: code; DEADLOCK: semaphores waited for, a bit each; HAZARD: unit of the other record; else opcode */
	__u32 phase; /* 1 on the first pass over the ring, 0 on the second, and so on */
	__u64 mxu_busy; /* cycles in which the array had work */
};

#define LOOM_REPORT_MAGIC 0x31524d4cu /* LMR1 */

/* Where a queue's time went; the six add up to the job's cycles. */
struct loom_queue_report {
	__u64 busy; /* useful work at full rate */
	__u64 edge; /* busy on padding: partial array tiles, partial vectors, partial bursts */
	__u64 fill; /* pipeline fill and drain, memory latency */
	__u64 wait_mem; /* bank conflicts, sharing a memory class; SEQ: waiting for code */
	__u64 wait_dep; /* waiting for a semaphore */
	__u64 idle; /* nothing to do */
};

/*
 * The report of a job: this header, then entries for as many instructions as fit. A CPU segment's has its modelled
 * cycles (loom_cpu_ops.h), in which all queues are idle, and an entry for each operation that ended: unit is its
 * number, queue LOOM_REPORT_QUEUE_CPU.
 */
#define LOOM_REPORT_QUEUE_CPU 5u

struct loom_report {
	__u32 magic; /* LOOM_REPORT_MAGIC */
	__u32 n_entries; /* struct loom_report_entry that follow */
	__u64 cycles; /* of the job */
	__u64 insns; /* retired */
	__u64 dropped; /* instructions without an entry for lack of room */
	struct loom_queue_report queue[5]; /* by enum loom_queue */
	__u64 macs[3]; /* products, by enum loom_mxu_type */
	__u64 vpu_elems; /* elements times micro-operations */
	__u64 bytes_read[2]; /* from memory, by class */
	__u64 bytes_written[2]; /* to memory, by class */
	struct loom_completion end; /* as in the completion ring; phase 0 */
};

struct loom_report_entry {
	__u32 unit; /* of the record */
	__u32 queue; /* enum loom_queue */
	__u64 ready; /* cycle in which it was at the head of its queue */
	__u64 start; /* cycle in which its waits were satisfied */
	__u64 end; /* cycle in which its effects were visible */
};

#endif
