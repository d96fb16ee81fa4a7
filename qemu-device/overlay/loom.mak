# SPDX-License-Identifier: GPL-2.0-or-later
# The devices of Loom's QEMU: the NPU, a PC to put it in, and what tests and
# benchmarks talk to. NVME_PCI is the yardstick of the null-job benchmark.
CONFIG_Q35=y
CONFIG_PCIE_PORT=y
CONFIG_VTD=y
CONFIG_LOOM_PCI=y
CONFIG_SERIAL_ISA=y
CONFIG_ISA_DEBUG=y
CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_SERIAL=y
CONFIG_VIRTIO_RNG=y
CONFIG_NVME_PCI=y
