// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// What the thread sanitizer leaves out: calls that come out of the compiler and MLIR. Those are not instrumented, so it
// sees their locks, copies and allocations, but not the atomic flags that order them (of a function's static variable,
// for one), and takes two users of one table for a race. All that the plugin itself does with their results is looked
// at.
extern "C" const char *__tsan_default_suppressions()
{
	return "called_from_lib:libloom_compile.so\n"
	       "called_from_lib:libMLIR.so\n"
	       "called_from_lib:libLLVM.so\n";
}
