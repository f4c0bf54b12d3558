"""Quietens what libraries tell at import of optional parts that they do without, once torchao is installed. Imported before them.

diffusers, peft and transformers load torchao by themselves wherever it is; warnings about work stay as they are.
"""

from __future__ import annotations

import logging

for name in ("torchao", "torch.utils._pytree", "diffusers.quantizers.torchao.torchao_quantizer"):
    logging.getLogger(name).setLevel(logging.ERROR)
