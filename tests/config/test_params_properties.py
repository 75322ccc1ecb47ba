"""Any valid parameter file, and any key that is none, generated."""

import copy
import io
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import parameters
from warmstart.config import loading
from warmstart.config.study import RESERVED
from warmstart.errors import InputError

bounded = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # a whole file takes minutes to shrink
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
POSITIVE = st.floats(1e-6, 1e3)
SHARE = st.floats(0, 0.99)
COUNT = st.integers(1, 500)


def choice(plain: list[str], **with_settings: dict[str, Any]) -> st.SearchStrategy:
    """A name alone, or a name with settings."""
    return st.one_of(
        st.sampled_from(plain),
        *(
            st.fixed_dictionaries({name: st.fixed_dictionaries({}, optional=own)})
            for name, own in with_settings.items()
        ),
    )


INITIALIZER = choice(
    ["auto", "he_normal", "glorot_uniform", "orthogonal", "zeros", "normal"],
    normal={"stddev": POSITIVE},
    uniform={"bound": POSITIVE},
    variance_scaling={"scale": POSITIVE, "mode": st.sampled_from(["fan_in", "fan_out"])},
)
ARM = st.fixed_dictionaries(
    {},
    optional={
        "hidden": st.one_of(
            st.just("auto"),
            st.lists(COUNT, max_size=4),
            st.fixed_dictionaries({"depth": st.integers(1, 30), "width": COUNT}),
        ),
        "activation": choice(
            ["relu", "selu", "gelu"],
            leaky_relu={"negative_slope": SHARE},
            rrelu={"lower": st.floats(0, 0.3), "upper": st.floats(0.4, 1)},
            elu={"alpha": POSITIVE},
        ),
        "initializer": INITIALIZER,
        "head_initializer": INITIALIZER,
        "batch_norm": choice(
            ["none", "input", "before", "input+after"], before={"momentum": SHARE}
        ),
        "dropout": SHARE,
        "skip_connections": st.just(False),
        "clipping": st.one_of(
            st.just("none"),
            st.fixed_dictionaries({"value": POSITIVE}),
            st.fixed_dictionaries({"global_norm": POSITIVE}),
        ),
        "optimizer": choice(["sgd", "adam", "lion", "muon"], nesterov={"momentum": SHARE}),
        "schedule": choice(["constant", "cosine"], warmup={"share": SHARE}),
        "standardize": st.booleans(),
    },
)
NAMES = st.from_regex(r"[a-z0-9_][a-z0-9_.+-]{0,8}", fullmatch=True)
STUDY_NAMES = NAMES.filter(lambda name: name not in RESERVED)
STUDY = st.fixed_dictionaries(
    {"arms": st.dictionaries(NAMES, ARM, min_size=2, max_size=4)},
    optional={"base": ARM, "epochs": COUNT, "seeds": st.integers(2, 50)},
)


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    content = parameters.content()
    content["seed"] = draw(st.integers(0, 2**31))
    content["data"]["validation_fraction"] = draw(st.floats(0.01, 0.49))
    content["compare"] |= {
        "base": draw(ARM),
        "studies": draw(st.dictionaries(STUDY_NAMES, STUDY, min_size=1, max_size=2)),
        "learning_rates": draw(st.lists(POSITIVE, min_size=1, max_size=3)),
    }
    labels = st.lists(st.integers(0, 9), min_size=2, max_size=8, unique=True)
    content["transfer"]["task_b"] = draw(st.one_of(st.just("all_pairs"), labels))
    return content


@bounded
@given(files())
def test_a_valid_file_is_read_as_it_was_meant(tmp_path: Path, content: dict[str, Any]) -> None:
    read = loading.parse(content)
    text = io.StringIO()
    YAML(typ="safe", pure=True).dump(content, text)
    (tmp_path / "params.yaml").write_text(text.getvalue())

    assert loading.load(tmp_path / "params.yaml") == read
    dumped = read.model_dump(mode="json", exclude_unset=True)
    dumped["transfer"]["task_b"] = content["transfer"]["task_b"]  # a word alone became a tuple
    assert loading.parse(dumped) == read
    for study, options in content["compare"]["studies"].items():
        assert list(read.compare.arms(study)) == list(options["arms"])
        assert all(arm.settings() for arm in read.compare.arms(study).values())


def sections(content: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of all mappings whose keys are fixed: sections, arms, but not the list of studies."""
    free = path and path[-1] in ("studies", "arms", "profiles", "cross", "resources")
    inner = [
        found
        for key, value in content.items()
        if isinstance(value, dict)
        for found in sections(value, (*path, key))
    ]
    return ([] if free else [path]) + inner


SECTIONS = [path for path in sections(parameters.content()) if "hidden" not in path]


@bounded
@given(st.sampled_from(SECTIONS), st.from_regex(r"[a-z]{1,6}_[a-z]{1,6}q", fullmatch=True))
def test_an_unknown_key_is_named(path: tuple[str, ...], key: str) -> None:
    content = copy.deepcopy(parameters.content())
    place = content
    for section in path:
        place = place[section]
    place[key] = 1

    try:
        loading.parse(content)
    except InputError as error:
        problems = error.problems
    else:
        problems = ()
    assert any(key in problem for problem in problems), problems
