// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Errors: thrown as failure inside, handed out as error_status at the boundary.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "abi.h"
#include "loom/loom.h"

namespace loom::pjrt {

class api_table;

class failure : public std::runtime_error {
public:
	failure(abi::code code, const std::string &message) : std::runtime_error(message), code(code) {}
	abi::code code;
};

template <class... A> failure invalid(fmt::format_string<A...> text, A &&...args)
{
	return {abi::code::invalid_argument, fmt::format(text, std::forward<A>(args)...)};
}

// Code for a negative errno of libloom and of the compiler.
abi::code code_of_errno(int status);

// Throws what libloom reported, after a few words on what was asked.
void check(int status, const loom_error &error, const std::string &what);

// How something ended; shared by all that it ended for. Null: well.
struct outcome_data {
	abi::code code;
	std::string message;
};
using outcome = std::shared_ptr<const outcome_data>;

inline outcome make_outcome(abi::code code, std::string message)
{
	return std::make_shared<const outcome_data>(outcome_data{code, std::move(message)});
}

// PJRT_Error. The table comes first: newer callers read errors through it.
class error_status {
public:
	error_status(abi::code code, std::string message);
	const abi::error_table *const table;
	const abi::code code;
	const std::string message;
};

// The error of an outcome, owned by the caller; null for a good one.
error_status *status_of(const outcome &ended);

// The exception that is being handled.
outcome current_outcome() noexcept;
error_status *current_error() noexcept;

void bind_error(api_table &table);

} // namespace loom::pjrt
