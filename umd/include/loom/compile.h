/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/*
 * The compiler from memory to memory: a StableHLO artifact in, a program for loom_program_load() out.
 *
 * Errors are those of loom.h: 0 or a negative errno, and a sentence. Several threads may compile at once; one handle
 * belongs to one thread at a time. Bad input is a message, never an abort.
 */
#ifndef LOOM_COMPILE_H
#define LOOM_COMPILE_H

#include "loom/loom.h"

#if defined(__cplusplus)
extern "C" {
#endif

typedef struct loom_artifact loom_artifact;
typedef struct loom_compiled loom_compiled;

struct loom_compile_options {
	size_t size;			  /* sizeof(struct loom_compile_options) */
	const struct loom_target *target; /* NULL: LOOM_DEFAULT_TARGET */
	const char *entry;		  /* name of the entry point; NULL: "main" */
	uint32_t cpu_only;		  /* 1: everything on the CPU engine */
	uint32_t require_npu;		  /* 1: what would run on the CPU engine is an error */
	/*
	 * 1: as JAX calls it. A donated argument shares its slot with the result that takes its place, where the
	 * program allows it, and a result that is an argument, or another result again, has no slot. 0: each result
	 * has a slot of its own.
	 */
	uint32_t in_place;
	uint32_t rsvd; /* must be 0 */
	/* Called with each message, whole; the loom_error keeps the beginning of the first. NULL: not called. */
	void (*message)(void *opaque, const char *text);
	void *opaque;
};

/*
 * -ENOEXEC: not an artifact, or damaged; -ENOTSUP: something that neither engine runs, an array of more than 1 GiB, or
 * an engine that the options rule out; -EINVAL: options, or a NULL where an object is asked for; -ENOMEM. After an
 * error *compiled is NULL. artifact must stay as it is during the call only. options may be NULL: all zeros but for the
 * size.
 */
LOOM_API int loom_compile(const void *artifact, size_t bytes, const struct loom_compile_options *options,
			  loom_compiled **compiled, struct loom_error *error);

/* The same in two steps, for who keeps compiled programs: read, look at the fingerprint, and compile if need be. */
LOOM_API int loom_artifact_read(const void *artifact, size_t bytes, loom_artifact **read, struct loom_error *error);
LOOM_API void loom_artifact_destroy(loom_artifact *artifact);
/* 64 hexadecimal digits: of the module without its source locations. Lives with the artifact. */
LOOM_API const char *loom_artifact_fingerprint(const loom_artifact *artifact);
/* Of the module, e.g. "jit_train_step". Lives with the artifact. */
LOOM_API const char *loom_artifact_name(const loom_artifact *artifact);
/* Once for an artifact: its module becomes the program. */
LOOM_API int loom_artifact_compile(loom_artifact *artifact, const struct loom_compile_options *options,
				   loom_compiled **compiled, struct loom_error *error);

LOOM_API void loom_compiled_destroy(loom_compiled *compiled);
/* NULL and 0 where nothing has to run: every result is an argument. All that follows lives with the object. */
LOOM_API const void *loom_compiled_program(const loom_compiled *compiled, size_t *bytes);
LOOM_API const char *loom_compiled_name(const loom_compiled *compiled);
LOOM_API const char *loom_compiled_fingerprint(const loom_compiled *compiled);
/* What loomc --report --json and --placement=json print. */
LOOM_API const char *loom_compiled_report(const loom_compiled *compiled);
LOOM_API const char *loom_compiled_placement(const loom_compiled *compiled);

#define LOOM_NO_SLOT UINT32_MAX

#define LOOM_VALUE_DONATED 0x1u	 /* argument: the caller gives it away */
#define LOOM_VALUE_ARGUMENT 0x2u /* result: is the argument `same_as`, unchanged */
#define LOOM_VALUE_RESULT 0x4u	 /* result: is the result `same_as` again */
#define LOOM_VALUE_IN_PLACE 0x8u /* result: stands in the slot of the argument `same_as` */

/* An argument or a result of main, in its order there. */
struct loom_value {
	const char *name; /* pytree path */
	uint32_t dtype;	  /* enum loom_dtype */
	uint32_t rank;	  /* at most 8 */
	int64_t dims[8];
	uint64_t bytes; /* row-major and dense */
	uint32_t slot;	/* of the program, or LOOM_NO_SLOT */
	uint32_t flags; /* LOOM_VALUE_* */
	uint32_t same_as;
	uint32_t rsvd;
};

LOOM_API uint32_t loom_compiled_num_arguments(const loom_compiled *compiled);
LOOM_API uint32_t loom_compiled_num_results(const loom_compiled *compiled);
/* NULL past the last. */
LOOM_API const struct loom_value *loom_compiled_argument(const loom_compiled *compiled, uint32_t index);
LOOM_API const struct loom_value *loom_compiled_result(const loom_compiled *compiled, uint32_t index);

/* Name and version of the compiler: what it makes of a module may differ between two of them. */
LOOM_API const char *loom_compiler_version(void);

#if defined(__cplusplus)
}
#endif

#endif
