"""Mistakes in how a task's weights are read, and in what an adapter's errors lead to."""

from tests.mutants.mutant import Mutant

_WHOLE = "tests/runtimes/diffusers/test_whole.py"
_SCHEDULE = "tests/runtimes/diffusers/test_noise_schedule.py"
_LORA = "tests/runtimes/diffusers/test_lora_sorts.py"
_PROMPT = "tests/runtimes/diffusers/test_prompt.py"
_ERRORS = "tests/deployments/test_adapter_errors.py"

MUTANTS = (
    Mutant(
        mistake="an error that an adapter did not foresee is taken for a lost runtime",
        file="deployments/replica.py",
        old=" as limit, known_errors(task):\n",
        new=" as limit:\n",
        tests=_ERRORS,
    ),
    Mutant(
        mistake="a lost connection ends the task",
        file="deployments/adapter_errors.py",
        old="        if isinstance(exc, _CONNECTION):\n",
        new="        if isinstance(exc, MemoryError):\n",
        tests=_ERRORS,
    ),
    Mutant(
        mistake="a device's fault is not seen behind the error that a library makes of it",
        file="deployments/device_fault.py",
        old="        cause = cause.__cause__ or cause.__context__\n",
        new="        cause = None\n",
        tests=_ERRORS,
    ),
    Mutant(
        mistake="a folder's missing tensors are random numbers",
        file="deployments/runtimes/diffusers/families/folder.py",
        old='    whole.refuse_missing(sorted(facts["missing_keys"]), len(made.state_dict()))\n',
        new="",
        tests=_WHOLE,
    ),
    Mutant(
        mistake="a tokenizer without its files knows no words",
        file="deployments/runtimes/diffusers/families/folder.py",
        old='"vae", *encoders, *tokenizers)',
        new='"vae", *encoders)',
        tests=_WHOLE,
    ),
    Mutant(
        mistake="a tokenizer without merges cuts each word to its letters",
        file="deployments/runtimes/diffusers/families/tokenizers.py",
        old="    if len(lost) > _LOST * len(words):\n",
        new="    if len(lost) > len(words):\n",
        tests=_WHOLE,
    ),
    Mutant(
        mistake="a scheduler of flow matching is painted as if it had betas",
        file="deployments/runtimes/diffusers/families/folder.py",
        old='class_fault(config.get("_class_name", kind)) or class_fault(kind)',
        new="class_fault(kind)",
        tests=_WHOLE,
    ),
    Mutant(
        mistake="tensors that a converter drops are not missed",
        file="deployments/runtimes/diffusers/families/single_file.py",
        old="check(wanted, given, _leftover(part, tensors, converted))",
        new="check(wanted, given)",
        tests=_WHOLE,
    ),
    Mutant(
        mistake="zero terminal SNR is left to the schedulers, half of which do not know it",
        file="deployments/runtimes/diffusers/noise_schedule.py",
        old=" if config.get(_ZERO_SNR) else dict(config)",
        new=" if config is None else dict(config)",
        tests=_SCHEDULE,
    ),
    Mutant(
        mistake="a file's mark of v-prediction is not looked for",
        file="deployments/runtimes/diffusers/families/marks.py",
        old="    if _V_PREDICTION in names:\n",
        new="    if _V_PREDICTION in schedule:\n",
        tests=_SCHEDULE,
    ),
    Mutant(
        mistake="the magnitudes of a DoRA are dropped",
        file="deployments/runtimes/diffusers/lora_file.py",
        old='{"mid", "dora"} & self',
        new='{"mid"} & self',
        tests=_LORA,
    ),
    Mutant(
        mistake="layers of a LoRA that match nothing are dropped",
        file="deployments/runtimes/diffusers/lora.py",
        old="    if strange:\n",
        new="    if not layers:\n",
        tests=_LORA,
    ),
    Mutant(
        mistake="a LoRA of NaN is read, and the checkpoint blamed for its pictures",
        file="deployments/runtimes/diffusers/lora_file.py",
        old="isinstance(tensor, Tensor) or not are_numbers(tensor)",
        new="isinstance(tensor, Tensor)",
        tests=_LORA,
    ),
    Mutant(
        mistake="tags of many LoRAs are taken, and all of them kept in memory",
        file="models/runtimes/diffusers/prompts.py",
        old="    if len(weights) > MOST_LORAS:\n",
        new="    if not MOST_LORAS:\n",
        tests=_PROMPT,
    ),
)
