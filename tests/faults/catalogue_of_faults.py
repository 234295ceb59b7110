"""Every fault, with a few tries that take a second or so, and with the many of the long table."""

import campaigns
import files

FAULTS = [
    (files.killed_writers, 20, 200),
    (files.writers_at_once, 1, 20),
    (files.reads_during_writes, 100, 5_000),
    (files.flipped_bits, 30, 300),
    (files.damaged_and_foreign_files, 5, 100),
    *([(files.full_disks, 1, 5)] if files.can_mount() else []),
    (campaigns.misbehaving_experiments, 1, 3),
    (campaigns.two_campaigns, 1, 5),
    (campaigns.killed_parents, 2, 20),
]
