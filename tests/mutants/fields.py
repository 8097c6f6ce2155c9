"""Mistakes in what the diffusers runtime makes of the Web UI's fields, settings and prompts."""

from tests.mutants.mutant import Mutant

_CONTENTS = "tests/models/runtimes/test_contents.py"
_HONOURED = "tests/runtimes/diffusers/test_honoured.py"
_SECOND = "tests/runtimes/diffusers/test_second_pass.py"
_NOISE = "tests/runtimes/diffusers/test_noise.py"
_EDITING = "tests/models/runtimes/test_prompt_editing.py"
_MODELS = "models/runtimes/diffusers"
_RUNTIME = "deployments/runtimes/diffusers"

MUTANTS = (
    Mutant(
        mistake="a setting that nobody knows is taken",
        file=f"{_MODELS}/scripts.py",
        old="            if name not in _KNOWN:\n",
        new="            if not name:\n",
        tests=_CONTENTS,
    ),
    Mutant(
        mistake="a text that stands for a harmless value is refused",
        file=f"{_MODELS}/fates.py",
        old="return flag(value) is harmless",
        new="return bool(value == harmless)",
        tests=_CONTENTS,
    ),
    Mutant(
        mistake="a LoRA's weight may be no number at all",
        file=f"{_MODELS}/prompts.py",
        old="return abs(float(text)) <= MOST_WEIGHT",
        new="return not abs(float(text)) > MOST_WEIGHT",
        tests=_CONTENTS,
    ),
    Mutant(
        mistake="comments in prompts are painted",
        file=f"{_MODELS}/prompts.py",
        old='return _COMMENT.sub("", prompt)',
        new="return prompt",
        tests=_HONOURED,
    ),
    Mutant(
        mistake="a large seed paints what its lowest 32 bits paint",
        file=f"{_RUNTIME}/noise.py",
        old="    if not -_SEEDS <= seed < _SEEDS:\n",
        new="    if not seed:\n",
        tests=_NOISE,
    ),
    Mutant(
        mistake="words that are edited change a call too early",
        file=f"{_MODELS}/prompt_editing.py",
        old="0 if call <= clock.call(self.when) else 1",
        new="0 if call < clock.call(self.when) else 1",
        tests=_EDITING,
    ),
    Mutant(
        mistake="a prompt may become any number of texts",
        file=f"{_MODELS}/prompt_editing.py",
        old="if len(found) > 1 and varied > MOST_VARIED:",
        new="if varied < 0:",
        tests=_EDITING,
    ),
    Mutant(
        mistake="parts of a prompt have no weights",
        file=f"{_RUNTIME}/sampling.py",
        old="            part.weight * (prediction - negative)\n",
        new="            prediction - negative\n",
        tests=_HONOURED,
    ),
    Mutant(
        mistake="the second pass is painted with the first one's words",
        file=f"{_MODELS}/generation_requests.py",
        old='Prompt("hr_prompt" if own else "prompt", own or self.prompt,',
        new='Prompt("hr_prompt" if own else "prompt", self.prompt,',
        tests=_SECOND,
    ),
    Mutant(
        mistake="the second pass keeps the LoRAs of the first",
        file=f"{_RUNTIME}/passes.py",
        old="        if self._used != wanted:\n",
        new="        if self._used is None:\n",
        tests=_SECOND,
    ),
    Mutant(
        mistake="the second pass takes fewer steps than it is asked for",
        file=f"{_RUNTIME}/generation.py",
        old="self.request.denoising_strength, takes_all_steps=True)",
        new="self.request.denoising_strength)",
        tests=_SECOND,
    ),
    Mutant(
        mistake="Euler a adds all of its noise whatever eta is",
        file=f"{_RUNTIME}/euler_ancestral.py",
        old="        if eta == 1:\n",
        new="        if eta <= 1:\n",
        tests=_HONOURED,
    ),
)
"""Mistakes in this part."""
