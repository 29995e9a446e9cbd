"""TD3 (Fujimoto et al., 2018) for discrete actions, by a Gumbel-softmax actor.

Actions are vectors of `n_actions` numbers; the environment gets the index of the
largest, the critics and the replay buffer the vector itself. As in the authors' code
for Ferreira et al. (2022), except where said. The specification, for every engine:

Networks: actor(s) -> `n_actions` logits; critics Q1, Q2 on concat(s, action vector) ->
1. Each an MLP of `hidden_layers` x `hidden_size`, linear output. With `layer_norm` a
hidden layer after the first is Linear, LayerNorm (eps 1e-5), activation; each has its
own gain and shift (the authors share one pair among all layers of a net). Flat order:
layer by layer weight (out x in), bias, then gain, shift where normalized; for PReLU at
last the net's slope. Initial weights and biases U(+-1 / sqrt(fan_in)), gain 1, shift 0,
drawn in the order actor, Q1, Q2; targets are copies.

Action vector: G(s, g) = softmax((logits(s) + g) / T), g standard Gumbel; if
`gumbel_hard`, the one-hot of its argmax, with the gradient of the softmax. With u
updates done, T = `gumbel_temperature` x (1 - 0.95 min(u / `gumbel_anneal_updates`, 1));
constant if that is 0. T(u) also holds for acting.

Acting, training: in the first `init_episodes` a uniformly random action and its one-hot
vector; afterwards v = G(s, g) + `action_std` x N(0, I), not clipped, and argmax v. v is
what the buffer stores. Testing: argmax of the logits, deterministic (the authors sample
as in training). Ties go to the first index.

Update, number u from 0, on a batch (s, v, r, s', d):

1. a' = G_target(s', g1) + clip(`policy_std` x N(0, I), +-`policy_std_clip`), with T(u),
   not renormalized; y = r + `gamma` (1 - d) min(Q1_target, Q2_target)(s', a').
2. One step of Adam on both critics for mean (Q1(s, v) - y)^2 + mean (Q2(s, v) - y)^2.
3. If (u + 1) is a multiple of `policy_delay`: one step of Adam on the actor for
   -mean Q1(s, G(s, g2)), with the new Q1 and T(u); then each of the three targets moves
   by `tau` towards its network.

Adam as everywhere (0.9, 0.999, 1e-8), one learning rate. Diverged: logits or v not
finite when acting, a loss of 2. or 3. not finite.

Streams: "network" (torch) for weights; "replay" for batches; "exploration" for, per
training step, the random action or g and then the noise; "update noise" for, per
update, g1, the noise of a', and g2 only if the actor is updated; each batch x
`n_actions`, row by row.
"""

from __future__ import annotations
