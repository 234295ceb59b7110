"""Lets pytest import the module beside this file without installation, and computes on one thread."""

import torch

torch.set_num_threads(1)
