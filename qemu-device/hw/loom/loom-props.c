// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Properties: which NPU this is, and faults on demand.
 *
 * `target` names one; every other property that describes hardware replaces
 * one number of it. The sum is checked once, by the model, in realize.
 */

#include "qemu/osdep.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "qobject/qdict.h"
#include "qobject/qjson.h"
#include "qobject/qnum.h"
#include "qobject/qstring.h"
#include "qemu/cutils.h"
#include "qemu/keyval.h"
#include "hw/qdev-properties.h"
#include "loom-device.h"
#include "trace.h"

/* --- numbers of a target ------------------------------------------------- */

typedef struct LoomKnob {
    const char *name;
    size_t offset; /* in struct loom_target */
    size_t size;
    uint32_t unit; /* the field counts in ones, the property in these */
    const char *text;
} LoomKnob;

#define KNOB(name, field, unit, text)                                          \
    { name, offsetof(struct loom_target, field),                               \
      sizeof_field(struct loom_target, field), unit, text }

static const LoomKnob loom_knobs[] = {
    KNOB("rows", rows, 1, "array rows (along k)"),
    KNOB("cols", cols, 1, "array columns (along n)"),
    KNOB("sram-kib", sram_bytes, 1024, "local memory in KiB"),
    KNOB("acc-kib", acc_bytes, 1024, "accumulator memory in KiB"),
    KNOB("sram-partitions", sram_partitions, 1, "SRAM partitions"),
    KNOB("sram-banks", sram_banks, 1, "SRAM banks in each partition"),
    KNOB("vpu-lanes", vpu_lanes, 1, "elements the vector unit does a cycle"),
    KNOB("mem-classes", mem_classes, 1, "memory classes"),
    KNOB("clock-khz", clock_khz, 1, "clock, to turn cycles into time"),
    KNOB("int8-div", int8_div, 1, "cycles a row of an int8 product takes"),
    KNOB("bf16-div", bf16_div, 1, "cycles a row of a bf16 product takes"),
    KNOB("f32-div", f32_div, 1, "cycles a row of an f32 product takes"),
    KNOB("mem-bw", mem[0].bytes_per_cycle, 1, "class 0: bytes a cycle"),
    KNOB("mem-latency", mem[0].latency, 1, "class 0: cycles to first byte"),
    KNOB("mem-outstanding", mem[0].outstanding, 1, "class 0: bursts in flight"),
    KNOB("mem1-bw", mem[1].bytes_per_cycle, 1, "class 1: bytes a cycle"),
    KNOB("mem1-latency", mem[1].latency, 1, "class 1: cycles to first byte"),
    KNOB("mem1-outstanding", mem[1].outstanding, 1,
         "class 1: bursts in flight"),
};

QEMU_BUILD_BUG_ON(ARRAY_SIZE(loom_knobs) != LOOM_NUM_KNOBS);

const char *loom_knob_name(unsigned i)
{
    return loom_knobs[i].name;
}

static uint64_t loom_knob_max(const LoomKnob *k)
{
    return MAKE_64BIT_MASK(0, k->size * 8) / k->unit;
}

uint64_t loom_knob_get(const struct loom_target *t, unsigned i)
{
    const LoomKnob *k = &loom_knobs[i];

    /* ldn_he_p: the fields are 1, 2 or 4 bytes wide, in host order. */
    return ldn_he_p((const uint8_t *)t + k->offset, k->size) / k->unit;
}

static void loom_knob_put(struct loom_target *t, unsigned i, uint64_t value)
{
    const LoomKnob *k = &loom_knobs[i];

    stn_he_p((uint8_t *)t + k->offset, k->size, value * k->unit);
}

static unsigned loom_knob_index(void *opaque)
{
    return (const LoomKnob *)opaque - loom_knobs;
}

/* Realized: what the device has. Before: what was given, or else 0. */
static void loom_knob_getter(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    unsigned i = loom_knob_index(opaque);
    uint64_t value = s->dev ? loom_knob_get(&s->target, i) : s->knob[i];

    visit_type_uint64(v, name, &value, errp);
}

static void loom_knob_setter(Object *obj, Visitor *v, const char *name,
                             void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    unsigned i = loom_knob_index(opaque);
    uint64_t max = loom_knob_max(&loom_knobs[i]);
    uint64_t value;

    if (DEVICE(obj)->realized) {
        qdev_prop_set_after_realize(DEVICE(obj), name, errp);
        return;
    }
    if (!visit_type_uint64(v, name, &value, errp)) {
        return;
    }
    if (value > max) {
        error_setg(errp, "loom: %s=%" PRIu64 " is out of range: at most %"
                   PRIu64, name, value, max);
        return;
    }
    s->knob[i] = value;
    s->knobs_set |= 1u << i;
}

/* --- features ------------------------------------------------------------ */

static const char *const loom_feature_names[LOOM_NUM_FEATURES] = {
    [LOOM_FEAT_CONV] = "conv", [LOOM_FEAT_DW] = "dw",
    [LOOM_FEAT_TRANSPOSE] = "transpose", [LOOM_FEAT_GATHER] = "gather",
    [LOOM_FEAT_SCATTER] = "scatter", [LOOM_FEAT_SCAN] = "scan",
    [LOOM_FEAT_REG] = "reg", [LOOM_FEAT_LOOP] = "loop",
    [LOOM_FEAT_TRANS] = "trans", [LOOM_FEAT_BF16] = "bf16",
    [LOOM_FEAT_INT8] = "int8", [LOOM_FEAT_CODEC] = "codec",
    [LOOM_FEAT_VPU] = "vpu", [LOOM_FEAT_F32] = "f32",
    [LOOM_FEAT_EPI] = "epi",
};

/* One item: "-name" takes a feature away, "+name" demands it. */
static bool loom_feature_apply(uint64_t *features, const char *item,
                               Error **errp)
{
    if (*item == '-' || *item == '+') {
        for (int i = 0; i < LOOM_NUM_FEATURES; i++) {
            if (strcmp(item + 1, loom_feature_names[i])) {
                continue;
            }
            if (*item == '-') {
                *features &= ~BIT_ULL(i);
            } else if (!(*features & BIT_ULL(i))) {
                error_setg(errp, "loom: features: this model has no unit or "
                           "mode '%s'", item + 1);
                return false;
            }
            return true;
        }
    }
    error_setg(errp, "loom: features: '%s' is not '-NAME' or '+NAME' with NAME "
               "one of conv, dw, transpose, gather, scatter, scan, reg, loop, "
               "trans, bf16, int8, codec, vpu, f32, epi", item);
    return false;
}

/* Items are separated by ':', or by ',' (",," on a command line). */
static bool loom_features_apply(uint64_t *features, const char *list,
                                Error **errp)
{
    g_auto(GStrv) items = g_strsplit_set(list, ",:", -1);

    for (char **item = items; *item; item++) {
        if (!loom_feature_apply(features, *item, errp)) {
            return false;
        }
    }
    return true;
}

/* --- the target as a whole ----------------------------------------------- */

bool loom_props_target(LoomState *s, Error **errp)
{
    const char *name = s->target_name ?: LOOM_DEFAULT_TARGET;
    struct loom_target *t = &s->target;
    uint64_t features;
    const char *wrong;

    if (!loom_target_named(name, t)) {
#define LOOM_TARGET_NAME(name, ...) " " #name
        error_setg(errp, "loom: there is no target '%s'; the named targets "
                   "are:" LOOM_TARGETS(LOOM_TARGET_NAME), name);
#undef LOOM_TARGET_NAME
        return false;
    }
    for (unsigned i = 0; i < LOOM_NUM_KNOBS; i++) {
        if (s->knobs_set & (1u << i)) {
            loom_knob_put(t, i, s->knob[i]);
        }
    }
    features = t->features;
    if (s->features && !loom_features_apply(&features, s->features, errp)) {
        return false;
    }
    t->features = features;
    wrong = loom_target_check(t);
    if (wrong) {
        error_setg(errp, "loom: %s", wrong);
        return false;
    }
    return true;
}

/* LOOM_ISA is the default, as for the in-process simulator. */
bool loom_props_isa(LoomState *s, enum loom_host_isa *isa, Error **errp)
{
    static const char *const names[] = {
        [LOOM_HOST_AUTO] = "auto", [LOOM_HOST_SCALAR] = "scalar",
        [LOOM_HOST_AVX2] = "avx2", [LOOM_HOST_AVX512] = "avx512",
    };

    if (!s->isa) {
        s->isa = g_strdup(getenv("LOOM_ISA") ?: "auto");
    }
    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strcmp(s->isa, names[i])) {
            *isa = i;
            return true;
        }
    }
    error_setg(errp, "loom: isa=%s (or LOOM_ISA in the environment) is not one "
               "of auto, scalar, avx2, avx512", s->isa);
    return false;
}

/* --- faults on demand ---------------------------------------------------- */

typedef struct LoomInjectKind {
    const char *name;
    enum loom_inject kind;
    const char *arg; /* name of its number; NULL: it has none */
} LoomInjectKind;

static const LoomInjectKind loom_inject_kinds[] = {
    { "none", LOOM_INJECT_NONE, NULL },
    { "hang", LOOM_INJECT_HANG, "at" },
    { "lost-irq", LOOM_INJECT_LOST_IRQ, "count" },
    { "dma-fail", LOOM_INJECT_DMA_FAIL, "at" },
};

static const LoomInjectKind *loom_inject_find(const char *name, Error **errp)
{
    for (unsigned i = 0; name && i < ARRAY_SIZE(loom_inject_kinds); i++) {
        if (!strcmp(name, loom_inject_kinds[i].name)) {
            return &loom_inject_kinds[i];
        }
    }
    error_setg(errp, "loom: x-inject: kind '%s' is not one of none, hang, "
               "lost-irq, dma-fail", name ?: "");
    return NULL;
}

/* Numbers are strings in "key=value" text and numbers in JSON. */
static bool loom_inject_number(QDict *args, const char *key, uint64_t *value,
                               Error **errp)
{
    QObject *o = qdict_get(args, key);
    QNum *n = qobject_to(QNum, o);
    QString *str = qobject_to(QString, o);

    if ((n && qnum_get_try_uint(n, value)) ||
        (str && !parse_uint_full(qstring_get_str(str), 0, value))) {
        return true;
    }
    error_setg(errp, "loom: x-inject: '%s' must be a number, 0 or more", key);
    return false;
}

/*
 * "kind=hang,at=5" or {"kind": "hang", "at": 5}. Without its number a kind
 * means the first interrupt or access, or no instruction at all.
 */
static QDict *loom_inject_parse(const char *text, Error **errp)
{
    QDict *args;
    QObject *o;

    if (*text != '{') {
        return keyval_parse(text, "kind", NULL, errp);
    }
    o = qobject_from_json(text, errp);
    args = qobject_to(QDict, o);
    if (o && !args) {
        qobject_unref(o);
        error_setg(errp, "loom: x-inject: not a JSON object");
    }
    return args;
}

static bool loom_inject_check_keys(QDict *args, const LoomInjectKind *k,
                                   Error **errp)
{
    for (const QDictEntry *e = qdict_first(args); e; e = qdict_next(args, e)) {
        const char *key = qdict_entry_key(e);

        if (strcmp(key, "kind") && (!k->arg || strcmp(key, k->arg))) {
            error_setg(errp, "loom: x-inject: kind '%s' takes no '%s'",
                       k->name, key);
            return false;
        }
    }
    return true;
}

static void loom_inject_setter(Object *obj, const char *text, Error **errp)
{
    LoomState *s = LOOM(obj);
    g_autoptr(QDict) args = NULL;
    const LoomInjectKind *k;
    uint64_t arg;

    if (!DEVICE(obj)->realized) {
        error_setg(errp, "loom: x-inject needs the running device: set it with "
                   "qom-set");
        return;
    }
    args = loom_inject_parse(text, errp);
    if (!args) {
        return;
    }
    k = loom_inject_find(qdict_get_try_str(args, "kind"), errp);
    if (!k || !loom_inject_check_keys(args, k, errp)) {
        return;
    }
    arg = k->kind == LOOM_INJECT_HANG ? 0 : 1;
    if (k->arg && qdict_haskey(args, k->arg) &&
        !loom_inject_number(args, k->arg, &arg, errp)) {
        return;
    }
    trace_loom_inject(k->name, arg);
    loom_worker_hold(s);
    loom_dev_inject(s->dev, k->kind, arg);
    loom_worker_release(s);
}

/* --- counters ------------------------------------------------------------ */

static void loom_counter_getter(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    LoomState *s = LOOM(obj);
    uint64_t value = 0;

    if (s->dev) {
        value = loom_dev_mmio_read(s->dev, (uintptr_t)opaque, 8);
    }
    visit_type_uint64(v, name, &value, errp);
}

static void loom_counter_add(ObjectClass *oc, const char *name,
                             enum loom_reg reg, const char *text)
{
    object_class_property_add(oc, name, "uint64", loom_counter_getter, NULL,
                              NULL, (void *)(uintptr_t)reg);
    object_class_property_set_description(oc, name, text);
}

static const Property loom_properties[] = {
    DEFINE_PROP_STRING("target", LoomState, target_name),
    DEFINE_PROP_STRING("features", LoomState, features),
    DEFINE_PROP_STRING("isa", LoomState, isa),
    DEFINE_PROP_UINT32("poll-us", LoomState, poll_us, 50),
    DEFINE_PROP_UINT32("threads", LoomState, threads, 1),
    DEFINE_PROP_BOOL("x-sync", LoomState, sync, false),
    DEFINE_PROP_BOOL("x-hazards", LoomState, hazards, false),
};

void loom_props_class_init(ObjectClass *oc)
{
    device_class_set_props(DEVICE_CLASS(oc), loom_properties);
    for (unsigned i = 0; i < LOOM_NUM_KNOBS; i++) {
        const LoomKnob *k = &loom_knobs[i];

        object_class_property_add(oc, k->name, "uint64", loom_knob_getter,
                                  loom_knob_setter, NULL, (void *)k);
        object_class_property_set_description(oc, k->name, k->text);
    }
    object_class_property_set_description(oc, "target",
        "named target that the other properties start from (default: "
        LOOM_DEFAULT_TARGET ")");
    object_class_property_set_description(oc, "features",
        "units and modes to take away, such as -int8:-bf16");
    object_class_property_set_description(oc, "isa",
        "host instruction set of the kernels: auto, scalar, avx2 or avx512");
    object_class_property_set_description(oc, "poll-us",
        "how long the idle worker looks for work before it sleeps");
    object_class_property_set_description(oc, "threads",
        "host threads that compute, 1 to 64");
    object_class_property_set_description(oc, "x-sync",
        "no worker thread; jobs end at virtual time plus their cycles");
    object_class_property_set_description(oc, "x-hazards",
        "jobs whose records race for the same bytes end with fault HAZARD");
    object_class_property_add_str(oc, "x-inject", NULL, loom_inject_setter);
    object_class_property_set_description(oc, "x-inject",
        "kind=hang,at=N | kind=lost-irq,count=N | kind=dma-fail,at=N | "
        "kind=none, or the same as a JSON object");
    loom_counter_add(oc, "jobs-retired", LOOM_REG_JOBS_RETIRED,
                     "jobs completed since power-on");
    loom_counter_add(oc, "jobs-faulted", LOOM_REG_JOBS_FAULTED,
                     "jobs completed with a fault since power-on");
    loom_counter_add(oc, "cycles", LOOM_REG_BUSY_CYCLES,
                     "modelled cycles of all completed jobs since power-on");
}
