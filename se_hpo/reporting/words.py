"""Names of things as the report's reader knows them."""

SETTING_WORDS = {
    "real": "the real task",
    "se_varied": "SEs (varied agents)",
    "se_fixed": "SEs (fixed agents)",
    "se_random": "random SEs (control)",
}
SHORT_SETTINGS = {
    "real": "real task",
    "se_varied": "SEs, varied",
    "se_fixed": "SEs, fixed",
    "se_random": "SEs, random",
}
AGENT_WORDS = {
    "ddqn": "DDQN",
    "dueling_ddqn": "Dueling DDQN",
    "td3_discrete": "discrete TD3",
}
UNIT_WORDS = {
    "env_steps_task": "env steps on the task",
    "env_steps": "env steps of any kind",
    "cpu_seconds": "cpu seconds",
}
