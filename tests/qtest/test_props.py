# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Properties: what is refused, with which words; introspection; unplug."""

from __future__ import annotations

from functools import partial

from device import CAP_PM, SLOT, Loom, device_arg
from machine import Machine, QemuExit, QmpError
from uapi import HALT, seq

# Options of -device, and what the refusal must name.
REFUSED = {
    "target=npu7": "there is no target 'npu7'; the named targets are: npu8",
    "rows=0": "rows", "rows=3": "rows", "rows=512": "rows",
    "rows=65536": "rows=65536 is out of range",
    "cols=2": "cols", "cols=257": "cols", "cols=512": "cols",
    "sram-kib=0": "sram", "sram-kib=15": "sram", "sram-kib=65537": "sram",
    "sram-kib=99999999": "sram-kib=99999999 is out of range",
    "acc-kib=0": "acc", "acc-kib=8192": "acc",
    "sram-partitions=0": "partition", "sram-banks=0": "bank",
    "vpu-lanes=3": "lanes", "vpu-lanes=2048": "lanes",
    "mem-classes=0": "mem", "mem-classes=3": "mem",
    "mem-bw=0": "bytes_per_cycle", "mem-latency=4097": "latency", "mem-outstanding=0": "outstanding",
    "mem1-bw=0": "bytes_per_cycle",
    "mem1-outstanding=0": "outstanding",
    "clock-khz=0": "clock",
    "int8-div=0": "div", "bf16-div=0": "div", "f32-div=0": "div",
    "f32-div=256": "f32-div=256 is out of range",
    "rows=-1": "rows", "rows=many": "rows",
    "features=-teleport": "'-teleport' is not",
    "features=int8": "'int8' is not '-NAME' or '+NAME'",
    "features=+codec": "no unit or mode 'codec'",
    "isa=mmx": "isa=mmx (or LOOM_ISA in the environment) is not one",
    "threads=0": "threads=0 is out of range: 1 to 64",
    "threads=65": "threads=65 is out of range",
    "poll-us=1000001": "poll-us=1000001 is out of range",
    "x-inject=kind=hang": "needs the running device",
}


def refused(options: str, words: str, qemu: str) -> None:
    try:
        with Machine(qemu, *device_arg(options)):
            pass
    except QemuExit as e:
        # What follows the echoed option is the message.
        _, found, message = str(e).partition(f",{options}: ")
        assert found and words in message, e
    else:
        raise AssertionError(f"{options} was accepted")


def test_isa_of_the_environment(qemu: str) -> None:
    with Machine(qemu, *device_arg(), env={"LOOM_ISA": "scalar"}) as m:
        d = Loom(m)
        assert d.prop("isa") == "scalar" and d.run(HALT).fault == 0
    with Machine(qemu, *device_arg("isa=auto"), env={"LOOM_ISA": "no"}) as m:
        assert Loom(m).prop("isa") == "auto"
    try:
        with Machine(qemu, *device_arg(), env={"LOOM_ISA": "no"}):
            pass
    except QemuExit as e:
        assert "LOOM_ISA in the environment" in str(e), e
    else:
        raise AssertionError("LOOM_ISA=no was accepted")


def test_a_refused_plug_leaves_nothing(qemu: str) -> None:
    with Machine(qemu, *ROOT_PORT) as m:
        for bad in ({"rows": 3}, {"target": "npu0"}, {"threads": 0}) * 5:
            try:
                m.qmp("device_add", driver="loom", id="npu", bus="rp", **bad)
            except QmpError as e:
                assert "loom: " in str(e), e
            else:
                raise AssertionError(f"{bad} was plugged")
        m.qmp("device_add", driver="loom", id="npu", bus="rp")
        slot_power(m, True)
        assert behind_port(m, False).run(HALT).fault == 0


def test_sleeping_function_answers_after_it_wakes(qemu: str) -> None:
    """D3hot and back: the rings are as they were (no soft reset)."""
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        assert d.run(HALT).fault == 0
        pm = d.capability(CAP_PM) + 4
        m.config_write(d.bdf, pm, 3, 2)
        assert m.config_read(d.bdf, pm) & 3 == 3
        m.config_write(d.bdf, pm, 0, 2)
        assert d.run(HALT).fault == 0
        assert d.reg("RING_HEAD") == 2 and d.reg("RESETS") == 0


def test_aer_reports_an_injected_error(qemu: str) -> None:
    with Machine(qemu, *ROOT_PORT, "-device",
                 "loom,id=npu,bus=rp,x-sync=on") as m:
        d = behind_port(m, True)
        said = m.qmp("human-monitor-command",
                     **{"command-line": "pcie_aer_inject_error npu COMP_TIME"})
        assert "OK" in said, said
        assert d.run(HALT).fault == 0


def test_knobs_cannot_change_later(qemu: str) -> None:
    with Machine(qemu, *device_arg()) as m:
        d = Loom(m)
        for name, value in (("rows", 8), ("target", "npu8"), ("threads", 2)):
            try:
                m.qmp("qom-set", path="/machine/peripheral/npu", property=name,
                      value=value)
            except QmpError as e:
                assert "realize" in str(e), e
            else:
                raise AssertionError(f"{name} was set")
        assert d.prop("rows") == 16 and d.run(HALT).fault == 0


def test_introspection(qemu: str) -> None:
    with Machine(qemu) as m:
        props = {p["name"]: p for p in
                 m.qmp("device-list-properties", typename="loom")}
        for name in ("target", "rows", "sram-kib", "mem1-latency", "features",
                     "isa", "poll-us", "threads", "x-sync", "x-hazards",
                     "x-inject",
                     "jobs-retired", "cycles"):
            assert props[name].get("description"), name


def test_two_devices(qemu: str) -> None:
    other = ["-device", "loom,id=other,addr=5,x-sync=on,target=npu8"]
    with Machine(qemu, *device_arg(), *other) as m:
        a = Loom(m)
        b = Loom(m, bdf=5 << 3, enable=False)
        b.bar = 0xe1000000
        m.config_write(b.bdf, 0x10, b.bar)
        a.map_bar()
        b.free = 1 << 24
        b.setup()
        assert a.run(HALT).fault == 0 and b.run(HALT).fault == 0
        assert a.reg("SRAM_BYTES") != b.reg("SRAM_BYTES")
        a.give(seq("TRAP", imm=1))
        assert a.take().fault_name == "TRAP"
        assert b.reg("JOBS_FAULTED") == 0


# Native PCIe hotplug; ACPI's would need a guest that runs its methods.
ROOT_PORT = ["-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
             "-device", "pcie-root-port,id=rp,chassis=1,addr=3"]


def behind_port(m: Machine, sync: bool) -> Loom:
    """Opens the bridge (bus 1, one memory window) and finds the function."""
    port = 3 << 3
    m.config_write(port, 0x18, 0x010100)
    m.config_write(port, 0x20, 0xe000e000)
    m.config_write(port, 0x04, 0x6, 2)
    return Loom(m, bdf=1 << 8, sync=sync)


def unplug(busy: bool, sync: bool, qemu: str) -> None:
    """Comes, works and goes; QEMU and the next one do not notice."""
    with Machine(qemu, *ROOT_PORT) as m:
        for _ in range(10):
            m.qmp("device_add", driver="loom", id="npu", bus="rp",
                  **{"x-sync": sync})
            slot_power(m, True)
            d = behind_port(m, sync)
            assert d.run(HALT).fault == 0
            if busy:
                d.give(seq("BR", target=0) + HALT)
                assert d.until(lambda d=d: d.reg("PROGRESS") > 50), d.state()
            m.qmp("device_del", id="npu")
            slot_power(m, False)
            m.wait_event("DEVICE_DELETED")


def slot_power(m: Machine, on: bool) -> None:
    """What the guest's hotplug driver does after the button was pressed."""
    port = 3 << 3
    at = m.config_read(port, 0x34) & 0xff
    while m.config_read(port, at) & 0xff != 0x10:
        at = m.config_read(port, at) >> 8 & 0xff
    control = m.config_read(port, at + 0x18) & 0xf8ff
    # Power indicator on, or indicator and power controller off.
    m.config_write(port, at + 0x18, control | (0x100 if on else 0x700), 2)


def test_behind_a_root_port(qemu: str) -> None:
    with Machine(qemu, *ROOT_PORT, "-device",
                 "loom,id=npu,bus=rp,x-sync=on") as m:
        d = behind_port(m, True)
        d.msix()
        d.set("IRQ_ENABLE", 1)
        assert d.run(HALT).fault == 0
        assert d.wait_message(0)
        d.flr()
        d.map_bar()
        assert d.reg("RESETS") == 1


CASES = [(f"refused: {o}", partial(refused, o, w))
         for o, w in REFUSED.items()]
CASES += [("unplug when idle", partial(unplug, False, False)),
          ("unplug when running", partial(unplug, True, False)),
          ("unplug in virtual time", partial(unplug, True, True))]
assert SLOT != 3
