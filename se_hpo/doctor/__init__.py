"""What the doctor looks at: a file per concern, a `Finding` per line of its report.

`doctor.checked_reward.check_reward_network` says what holds for a reward network.
"""
