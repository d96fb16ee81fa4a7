/* SPDX-License-Identifier: GPL-2.0 */
#ifndef LOOM_DEBUGFS_H
#define LOOM_DEBUGFS_H

struct seq_file;

int loom_programs_show(struct seq_file *m, void *unused);
int loom_instances_show(struct seq_file *m, void *unused);

#endif
