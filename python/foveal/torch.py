"""PyTorch's own attention on CPUs, run here: an unchanged program calls what it always did.

>>> import foveal
>>> foveal.torch.enable()
>>> print(foveal.torch.report())
"""

from __future__ import annotations

from ._takeover import Enabled, disable, enable
from ._takeover_report import Report, Row, report
from ._torch_flex import flex

__all__ = ["Enabled", "Report", "Row", "disable", "enable", "flex", "report"]
