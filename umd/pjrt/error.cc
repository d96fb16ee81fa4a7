// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "error.h"

#include <cerrno>
#include <new>

#include "api.h"

namespace loom::pjrt {
namespace {

void destroy(error_status *error)
{
	delete error;
}

void message(const error_status *error, const char **text, size_t *size)
{
	*text = error->message.data();
	*size = error->message.size();
}

abi::code get_code(const error_status *error)
{
	return error->code;
}

void for_each_payload(const error_status *, abi::payload_visitor, void *) {}

const abi::error_table functions = {sizeof(abi::error_table), sizeof(void *), nullptr, destroy, message, get_code,
				    for_each_payload};

// These four never fail: whoever asks is handling an error already.
error_status *Error_Destroy(void *args)
{
	destroy(static_cast<abi::Error_Destroy_Args *>(args)->error);
	return nullptr;
}

error_status *Error_Message(void *args)
{
	auto *a = static_cast<abi::Error_Message_Args *>(args);
	message(a->error, &a->message, &a->message_size);
	return nullptr;
}

error_status *Error_GetCode(void *args)
{
	auto *a = static_cast<abi::Error_GetCode_Args *>(args);
	a->code = a->error->code;
	return nullptr;
}

error_status *Error_ForEachPayload(void *)
{
	return nullptr;
}

} // namespace

abi::code code_of_errno(int status)
{
	switch (-status) {
	case ENOMEM:
	case ENOSPC:
	case E2BIG:
		return abi::code::resource_exhausted;
	case ENOTSUP:
		return abi::code::unimplemented;
	case EINVAL:
	case ENOEXEC:
		return abi::code::invalid_argument;
	case ENOENT:
	case ENODEV:
		return abi::code::not_found;
	case EACCES:
	case EPERM:
		return abi::code::permission_denied;
	case ETIME:
	case ETIMEDOUT:
		return abi::code::deadline_exceeded;
	case ECANCELED:
		return abi::code::cancelled;
	default:
		return abi::code::internal;
	}
}

void check(int status, const loom_error &error, const std::string &what)
{
	if (status < 0)
		throw failure(code_of_errno(status), what.empty() ? error.message : what + ": " + error.message);
}

error_status::error_status(abi::code code, std::string text) : table(&functions), code(code), message(std::move(text))
{
}

error_status *status_of(const outcome &ended)
{
	return ended ? new error_status(ended->code, ended->message) : nullptr;
}

outcome current_outcome() noexcept
{
	static const outcome no_memory = make_outcome(abi::code::resource_exhausted, "out of host memory");
	try {
		throw;
	} catch (const failure &f) {
		return make_outcome(f.code, f.what());
	} catch (const std::bad_alloc &) {
		return no_memory;
	} catch (const std::exception &e) {
		return make_outcome(abi::code::internal, e.what());
	} catch (...) {
		return make_outcome(abi::code::internal, "an unknown exception; this is a defect, please report it");
	}
}

error_status *current_error() noexcept
{
	return status_of(current_outcome());
}

void bind_error(api_table &table)
{
	table.set_raw(slot::Error_Destroy, Error_Destroy);
	table.set_raw(slot::Error_Message, Error_Message);
	table.set_raw(slot::Error_GetCode, Error_GetCode);
	table.set_raw(slot::Error_ForEachPayload, Error_ForEachPayload);
}

} // namespace loom::pjrt
