"""Networks with a memory, and the batches in which they are trained.

One cell is used again at every word, and its gradient runs back through all of
them (``_recurrence``, ``_through_time``); sentences of different lengths share
a batch (``_padding``); a language model guesses the next word
(``_language_model``, ``_model``); a convolution reads without a memory
(``_convolution``). Losses are in nats.
"""

from nlp_dawn.recurrent.recurrent_networks._convolution import (
    conv1d,
    max_over_time,
    mean_over_time,
    receptive_field,
)
from nlp_dawn.recurrent.recurrent_networks._language_model import (
    OutputLoss,
    RecurrentLayer,
    init_recurrent_language_model,
    recurrent_language_model,
)
from nlp_dawn.recurrent.recurrent_networks._model import RecurrentModel
from nlp_dawn.recurrent.recurrent_networks._padding import (
    BatchCost,
    batch_cost,
    buckets,
    length_mask,
    pad_batch,
    reverse_padded,
)
from nlp_dawn.recurrent.recurrent_networks._recurrence import (
    bptt_deltas,
    rnn,
    rnn_cell,
    rnn_init,
)
from nlp_dawn.recurrent.recurrent_networks._through_time import (
    rnn_one_by_one,
    truncated_bptt,
)

__all__ = [
    "BatchCost",
    "OutputLoss",
    "RecurrentLayer",
    "RecurrentModel",
    "batch_cost",
    "bptt_deltas",
    "buckets",
    "conv1d",
    "init_recurrent_language_model",
    "length_mask",
    "max_over_time",
    "mean_over_time",
    "pad_batch",
    "receptive_field",
    "recurrent_language_model",
    "reverse_padded",
    "rnn",
    "rnn_cell",
    "rnn_init",
    "rnn_one_by_one",
    "truncated_bptt",
]
