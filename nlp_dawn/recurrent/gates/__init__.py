"""Gates and shortcuts: paths on which a memory and its gradient survive.

The gated recurrent unit in the notes' convention (``_gru``) and in torch's
(``_gru_torch``), and long short-term memory (``_lstm``), which is there a
second time, faster (``_fused``); the way to torch's weights and back
(``_torch_weights``); how long gates remember (``_memory``); residual
connections and their gated form (``_shortcuts``).
"""

from nlp_dawn.recurrent.gates._fused import lstm_fused
from nlp_dawn.recurrent.gates._gru import (
    GRUGates,
    gru,
    gru_cell,
    gru_gates,
    gru_update,
)
from nlp_dawn.recurrent.gates._gru_torch import gru_torch, gru_torch_update
from nlp_dawn.recurrent.gates._lstm import (
    LSTMGates,
    lstm,
    lstm_cell,
    lstm_gates,
    lstm_update,
    open_forget_gates,
)
from nlp_dawn.recurrent.gates._memory import (
    half_life,
    init_gru,
    init_lstm,
    keep_bias,
    retention,
)
from nlp_dawn.recurrent.gates._shortcuts import (
    gradient_bounds,
    gradient_by_path_length,
    highway,
    path_counts,
    residual,
)
from nlp_dawn.recurrent.gates._torch_weights import (
    from_torch_convention,
    gru_from_torch,
    gru_to_torch,
    lstm_from_torch,
    lstm_to_torch,
    to_torch_convention,
)

__all__ = [
    "GRUGates",
    "LSTMGates",
    "from_torch_convention",
    "gradient_bounds",
    "gradient_by_path_length",
    "gru",
    "gru_cell",
    "gru_from_torch",
    "gru_gates",
    "gru_to_torch",
    "gru_torch",
    "gru_torch_update",
    "gru_update",
    "half_life",
    "highway",
    "init_gru",
    "init_lstm",
    "keep_bias",
    "lstm",
    "lstm_cell",
    "lstm_from_torch",
    "lstm_fused",
    "lstm_gates",
    "lstm_to_torch",
    "lstm_update",
    "open_forget_gates",
    "path_counts",
    "residual",
    "retention",
    "to_torch_convention",
]
