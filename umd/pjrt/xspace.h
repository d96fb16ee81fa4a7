// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A trace in the form that the field's tools read: a serialised tensorflow.profiler.XSpace, one plane a device.
#pragma once

#include "timeline.h"

namespace loom::pjrt {

// start_ns: since the epoch; when the trace began.
std::string encode_xspace(const std::vector<traced_device> &devices, int64_t start_ns);

// The fields of xplane.proto that are written.
namespace xplane {
enum class Space : uint32_t { planes = 1 };
enum class Plane : uint32_t { id = 1, name = 2, lines = 3, event_metadata = 4, stat_metadata = 5, stats = 6 };
enum class Line : uint32_t { id = 1, name = 2, timestamp_ns = 3, events = 4, display_id = 10 };
enum class Event : uint32_t { metadata_id = 1, offset_ps = 2, duration_ps = 3, stats = 4 };
enum class Stat : uint32_t { metadata_id = 1, uint64_value = 3, int64_value = 4, str_value = 5, ref_value = 7 };
enum class Metadata : uint32_t { id = 1, name = 2 }; // of events and of stats
enum class Entry : uint32_t { key = 1, value = 2 };  // of a map
} // namespace xplane

} // namespace loom::pjrt
