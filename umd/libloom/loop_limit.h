// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// How long a job may take whose loops this process walks through: a condition that data never make false would keep it
// for ever. LOOM_LOOP_SECONDS, without it an hour.
#pragma once

#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>

#include "objects.h"

namespace loom {

class loop_limit {
public:
	using clock = std::chrono::steady_clock;

	loop_limit()
	{
		const char *text = std::getenv("LOOM_LOOP_SECONDS");
		if (!text || !*text)
			return;
		char *rest = nullptr;
		seconds = std::strtod(text, &rest);
		if (*rest || !std::isfinite(seconds) || seconds <= 0)
			throw failure(-EINVAL,
				      fmt::format("LOOM_LOOP_SECONDS={}: use a number of seconds above 0", text));
	}
	// Throws -ETIME where a job that began then has had its time.
	void check(clock::time_point begin) const
	{
		const std::chrono::duration<double> taken = clock::now() - begin;
		if (taken.count() > seconds)
			throw failure(
				-ETIME,
				fmt::format("its loops have not ended within {} seconds; does their condition ever "
					    "become false? LOOM_LOOP_SECONDS allows more",
					    seconds));
	}

private:
	double seconds = 3600;
};

} // namespace loom
