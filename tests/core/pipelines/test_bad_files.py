"""Every fault of a pipeline file is told at once, with its line, its key and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from core.errors import NotFound, PipelineInvalid
from core.pipelines import find_pipelines, load_pipeline, validate_file

FILE = Path("pipelines/p.yaml")

# name: (text, [(line, key, part of the message, part of the suggestion)])
CASES: dict[str, tuple[str, list[tuple[int, str, str, str]]]] = {
    "unknown keys everywhere": (
        """
        nam: x
        parms: {a: 1}
        steps:
          a:
            function: shop.steps:anything
            retires: 2
          r:
            register: {modle: a.a, model: a.a}
        """,
        [
            (1, "nam", "unknown key", "did you mean name?"),
            (2, "parms", "unknown key", "did you mean params?"),
            (6, "steps.a.retires", "unknown key in a step", "did you mean retries?"),
            (8, "steps.r.register.modle", "unknown key", "did you mean model?"),
        ],
    ),
    "cycle by inputs": (
        """
        steps:
          a: {function: shop.steps:anything, inputs: {x: c.c}}
          b: {function: shop.steps:anything, inputs: {x: a.a}}
          c: {function: shop.steps:anything, inputs: {x: b.b}}
          d: {function: shop.steps:anything, inputs: {x: c.c}}
        """,
        [(2, "steps.a", "wait for each other: a → b → c → a", "remove one")],
    ),
    "cycle with itself and another": (
        """
        steps:
          a: {function: shop.steps:anything, after: a}
          b: {function: shop.steps:anything, after: [c]}
          c: {function: shop.steps:anything, after: [b]}
        """,
        [
            (2, "steps.a", "wait for each other: a → a", ""),
            (3, "steps.b", "wait for each other: b → c → b", ""),
        ],
    ),
    "missing module and functions": (
        """
        steps:
          a: {function: "shop.stpes:acquire"}
          b: {function: "shop.steps:aquire"}
          c: {function: shop.steps.acquire}
          d: {function: "shop/steps.py:acquire"}
          e: {function: "shop.broken:work"}
          f: {function: "shop.steps:later", inputs: {raw: 1}}
          g: {function: "shop.steps:only_position", inputs: {raw: 1}}
        """,
        [
            (2, "steps.a.function", "no module shop.stpes", "did you mean shop.steps?"),
            (3, "steps.b.function", "defines no function aquire", "did you mean acquire?"),
            (4, "steps.c.function", "not module:function", "did you mean shop.steps:acquire?"),
            (5, "steps.d.function", "not module:function", "did you mean shop.steps:acquire?"),
            (6, "steps.e.function", "shop/broken.py:1", ""),
            (7, "steps.f.function", "later is async", "plain function"),
            (8, "steps.g.function", "by position only", "remove the `/`"),
        ],
    ),
    "wrong types": (
        """
        name: [x]
        params: {seed: 1}
        defaults: {cache: yes, retries: many}
        steps:
          a:
            function: shop.steps:anything
            retries: "2"
            backoff: 2 seconds
            timeout: soon
            cache: "no"
            memory: 2gb
            outputs: [1, 2]
            env: {1A: x, GOOD: [y]}
          b: 7
          c: {function: 12}
        """,
        [
            (1, "name", "expected text, found a list", ""),
            (3, "defaults.cache", "expected true or false, found the text 'yes'", "write true"),
            (3, "defaults.retries", "expected a whole number", ""),
            (7, "steps.a.retries", "expected a whole number", "without quotes: 2"),
            (8, "steps.a.backoff", "expected a duration", "write 2s"),
            (9, "steps.a.timeout", "expected a duration", "10m"),
            (10, "steps.a.cache", "expected true or false", "write false"),
            (11, "steps.a.memory", "expected a size of memory", "write 2GiB"),
            (12, "steps.a.outputs", "expected a list of names", ""),
            (13, "steps.a.env.1A", "not a name for an environment variable", ""),
            (13, "steps.a.env.GOOD", "expected text, found a list", ""),
            (14, "steps.b", "expected a mapping, found 7", "function: module:b"),
            (15, "steps.c.function", "expected text", 'quote it: "12"'),
        ],
    ),
    "inputs that nothing provides": (
        """
        params: {month: "2012-01", sed: 1}
        steps:
          acquire: {function: "shop.steps:acquire", outputs: [rew]}
          clean: {function: "shop.steps:clean", outputs: [frame]}
          fit: {function: "shop.steps:fit"}
        """,
        [
            (4, "steps.clean.inputs.raw", "nothing provides raw", "did you mean rew?"),
            (5, "steps.fit.inputs.seed", "nothing provides seed", "did you mean sed?"),
        ],
    ),
    "explicit inputs": (
        """
        params: {month: "2012-01"}
        steps:
          acquire: {function: "shop.steps:acquire", outputs: [raw]}
          clean:
            function: shop.steps:clean
            inputs:
              raw: aquire.raw
              limit: ${params.mnth}
              limt: 3
          other:
            function: shop.steps:anything
            inputs:
              a: acquire.rwa
              b: raw
              c: "x-${params.month}"
              d: clean.nothing
              e: other.other
              f: a plain literal
        """,
        [
            (7, "steps.clean.inputs.raw", "no step aquire", "did you mean acquire.raw?"),
            (8, "steps.clean.inputs.limit", "no parameter mnth", "did you mean month?"),
            (9, "steps.clean.inputs.limt", "takes no limt", "did you mean limit?"),
            (13, "steps.other.inputs.a", "acquire puts out no rwa", "did you mean raw?"),
            (14, "steps.other.inputs.b", "raw is an output of acquire", "write acquire.raw"),
            (15, "steps.other.inputs.c", "mixes text", "${params.name}"),
            (16, "steps.other.inputs.d", "clean puts out no nothing", "known: clean"),
            (17, "steps.other.inputs.e", "own output", ""),
        ],
    ),
    "kinds of a step": (
        """
        steps:
          a: {function: "shop.steps:anything", script: scripts/train.py}
          b: {retries: 1}
          c: {fuction: "shop.steps:anything"}
          d: {script: scripts/trian.py}
          e: {notebook: scripts/train.py}
          f: {script: ../x.py}
          g: {register: {model: a.a}, cache: true}
          "bad name": {script: scripts/train.py}
          h: {script: scripts/train.py, inputs: {learning-rate: 1, "no good": 1}}
          i: {function: "shop.steps:anything", inputs: {learning-rate: 1}}
        """,
        [
            (2, "steps.a", "two kinds in one step: function, script", "one step of each"),
            (3, "steps.b", "says nothing to do", ""),
            (4, "steps.c.fuction", "unknown key", "did you mean function?"),
            (4, "steps.c", "says nothing to do", "did you mean function?"),
            (5, "steps.d.script", "no file scripts/trian.py", "did you mean scripts/train.py?"),
            (6, "steps.e.notebook", "doesn't end in .ipynb", ""),
            (7, "steps.f.script", "outside the workspace", "relative"),
            (8, "steps.g.cache", "a register step has no cache", "remove it"),
            (9, "steps.bad name", "not a name for a step", "letters"),
            (10, "steps.h.inputs.no good", "not a name for an input", "Python name"),
            (11, "steps.i.inputs.learning-rate", "not a name for an input", "Python name"),
        ],
    ),
    "outputs": (
        """
        steps:
          a: {function: "shop.steps:anything", outputs: [raw, raw, "no good"]}
          b: {function: "shop.steps:anything", outputs: raw}
          c: {function: "shop.steps:clean"}
        """,
        [
            (2, "steps.a.outputs", "raw is listed twice", "own name"),
            (2, "steps.a.outputs", "'no good' is not a name", "Python name"),
            (4, "steps.c.inputs.raw", "a and b both put out raw", "inputs: {raw: a.raw}"),
        ],
    ),
    "unknown steps": (
        """
        steps:
          train: {function: "shop.steps:anything", after: [trian, x]}
          gate: {gate: {evidence: [train.nothing, evalute]}}
          deploy: {deploy: {}}
        """,
        [
            (2, "steps.train.after", "no step trian", "did you mean train?"),
            (2, "steps.train.after", "no step x", "known: deploy, gate, train"),
            (3, "steps.gate.gate.evidence", "train puts out no nothing", "known: train"),
            (3, "steps.gate.gate.evidence", "no step evalute", "known:"),
            (3, "steps.gate.gate", "no register step", "add a step"),
            (4, "steps.deploy.deploy", "no register step", "add a step"),
        ],
    ),
    "release settings": (
        """
        steps:
          train: {function: "shop.steps:anything"}
          one: {register: {}}
          two: {register: {model: train}}
          gate: {gate: {approvals: 0, requester_may_decide: maybe, expires: 2 fortnights}}
          deploy:
            deploy:
              register: one
              strategy:
                - {set_weight: 50, pause: 1s}
                - set_weight: 101
                - hold: 3
                - set_weight: 60
                - set_weight: 40
        """,
        [
            (3, "steps.one.register", "no model", "model: step.output"),
            (4, "steps.two.register.model", "expected step.output", "train.model"),
            (5, "steps.gate.gate.approvals", "from 1 to 20", ""),
            (5, "steps.gate.gate.requester_may_decide", "expected true or false", ""),
            (5, "steps.gate.gate.expires", "expected a duration", ""),
            (5, "steps.gate.gate", "several register steps: one, two", "register: one"),
            (10, "steps.deploy.deploy.strategy[0]", "one of set_weight, pause", ""),
            (11, "steps.deploy.deploy.strategy[1].set_weight", "from 0 to 100", ""),
            (12, "steps.deploy.deploy.strategy[2].hold", "unknown key", "known: "),
            (14, "steps.deploy.deploy.strategy[4]", "from 60 to 40", "weights rise"),
        ],
    ),
    "strategy that stops short": (
        """
        steps:
          train: {function: "shop.steps:anything"}
          reg: {register: {model: train.train}}
          a: {deploy: {strategy: [{set_weight: 20}]}}
          b: {deploy: {strategy: [{set_weight: 100}, {pause: 5s}]}}
          c: {deploy: {strategy: []}}
        """,
        [
            (4, "steps.a.deploy.strategy", "the last weight is 20", "{set_weight: 100}"),
            (5, "steps.b.deploy.strategy", "a pause ends it", "{set_weight: 100}"),
            (6, "steps.c.deploy.strategy", "expected a list of stages", "set_weight"),
        ],
    ),
    "strategies by name and by mapping": (
        """
        steps:
          train: {function: "shop.steps:anything"}
          reg: {register: {model: train.train}}
          a: {deploy: {strategy: cannary}}
          b: {deploy: {strategy: {preset: canary, wieght: 5}}}
          c:
            deploy:
              strategy:
                steps:
                  - {set_weight: 10}
                  - {bake: soon}
                alarms:
                  - {metric: error_rate, threshold: 5}
          d: {deploy: {strategy: 7}}
          e: {deploy: {strategy: [{shadow: {percent: 10}}, {set_weight: 100}]}}
          f: {deploy: {strategy: [{set_weight: 100}, {ask: "Well?"}]}}
        """,
        [
            (4, "steps.a.deploy.strategy.preset", "unknown: 'cannary'", "did you mean canary"),
            (5, "steps.b.deploy.strategy.wieght", "unknown key", "did you mean weight"),
            (11, "steps.c.deploy.strategy step 2: bake", "a duration", "30s"),
            (13, "steps.c.deploy.strategy.alarms[0].threshold", "a share from 0 to 1", ""),
            (14, "steps.d.deploy.strategy", "expected a list of stages", "or canary"),
            (15, "steps.e.deploy.strategy", "it would never end", "requests"),
            (16, "steps.f.deploy.strategy", "ask ends it", "{set_weight: 100}"),
        ],
    ),
    "parameters": (
        """
        params:
          a: {type: integer}
          b: {type: int, default: x}
          c: {default: abc, pattern: "("}
          d: {default: abc, pattern: "[0-9]+"}
          e: {default: 4, choices: [1, 2]}
          f: {type: int, choices: [1, two]}
          g: {default: 1, required: true}
          h: {typ: int}
          i: [1]
          j:
          "not good": 1
          k: {type: int, default: 1, pattern: x}
        steps:
          s: {function: "shop.steps:anything"}
        """,
        [
            (2, "params.a.type", "unknown type 'integer'", "did you mean int?"),
            (3, "params.b.default", "expected int, found 'x'", ""),
            (4, "params.c.pattern", "not a regular expression", ""),
            (5, "params.d.default", "doesn't match the pattern", ""),
            (6, "params.e.default", "4 is not one of 1, 2", ""),
            (7, "params.f.choices", "expected int, found 'two'", ""),
            (8, "params.g.required", "required, yet it has a default", "remove"),
            (9, "params.h.typ", "unknown key", "did you mean type?"),
            (10, "params.i", "expected a default, found a list", "such as 7"),
            (11, "params.j", "expected a default, found nothing", "such as 7"),
            (12, "params.not good", "not a name", "Python name"),
            (13, "params.k.pattern", "a pattern is for text", "remove it"),
        ],
    ),
    "duplicate keys": (
        """
        name: x
        steps:
          a: {function: "shop.steps:anything"}
          a: {function: "shop.steps:anything"}
        name: y
        """,
        [
            (4, "a", "given twice, first in line 3", "keep one"),
            (5, "name", "given twice, first in line 1", "keep one"),
        ],
    ),
    "tabs": (
        "steps:\n\ta:\n\t\tfunction: shop.steps:anything\n",
        [(2, "", "a tab in the indentation", "spaces"), (3, "", "a tab", "spaces")],
    ),
    "not YAML": (
        "name: a: b\n",
        [(1, "", "mapping values are not allowed", "quote")],
    ),
    "unclosed": ("name: x\nsteps: {a: [1\n", [(3, "", "not YAML", "line 2")]),
    "nothing but a comment": ("# soon\n", [(1, "", "the file is empty", "steps")]),
    "a list": ("- a\n- b\n", [(1, "", "expected a mapping, found a list", "")]),
    "no steps": ("name: x\n", [(1, "steps", "no steps", "add `steps:`")]),
    "steps with nothing": ("name: x\nsteps:\n", [(2, "steps", "no steps", "")]),
    "steps as a list": (
        "steps:\n  - function: x:y\n",
        [(1, "steps", "expected a mapping, found a list", "mapping of the step's name")],
    ),
    "two documents": ("steps: {}\n---\nname: x\n", [(2, "", "second document", "one pipeline")]),
    "tags and merges": (
        "name: !!python/object:os.system x\n",
        [(1, "", "the tag tag:yaml.org,2002:python/object:os.system is not read", "remove it")],
    ),
    "unknown anchor": ("name: *x\n", [(1, "", "*x names no anchor", "&x")]),
    "anchor in itself": ("steps: &x\n  a: *x\n", [(2, "", "*x contains itself", "")]),
    "too deep": ("a: " + "[" * 60 + "]" * 60, [(1, "", "nested deeper", "")]),
    "huge number": ("name: 123456789012345678901234\n", [(1, "", "too large", "quote")]),
    "control character": ("name: x\ndescription: a\x07b\n", [(2, "", "control character", "")]),
}


@pytest.mark.parametrize("name", CASES)
def test_every_fault_is_reported(name: str, write: Any) -> None:
    text, expected = CASES[name]
    problems = validate_file(write(text), FILE)
    shown = "\n".join(problem.one_line() for problem in problems)
    assert [(p.line, p.key) for p in problems] == sorted(
        [(line, key) for line, key, _, _ in expected], key=lambda each: each[0]
    ), shown
    for problem, (_, _, message, suggestion) in zip(problems, expected, strict=True):
        assert problem.file == "pipelines/p.yaml"
        assert message in problem.message, shown
        assert suggestion in problem.suggestion, shown
        assert "\n" not in problem.one_line()


def test_alias_bomb_is_refused_quickly(write: Any) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    problems = validate_file(write("\n".join(lines)), FILE)
    assert len(problems) == 1
    assert "aliases counted as copies" in problems[0].message
    assert problems[0].line <= 5


def test_chain_of_aliases_cannot_nest_without_end(write: Any) -> None:
    lines = ["a0: &a0 [x]", *(f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, 2000))]
    (problem,) = validate_file(write("\n".join(lines)), FILE)
    assert "nested deeper" in problem.message


def test_file_that_is_not_utf8(root: Path) -> None:
    (root / FILE).write_bytes(b"name: x\ndescription: caf\xe9\n")
    (problem,) = validate_file(root, FILE)
    assert (problem.line, problem.message) == (2, "not UTF-8: byte 0xe9")
    assert "UTF-8" in problem.suggestion


def test_files_that_cannot_be_read(root: Path) -> None:
    (problem,) = validate_file(root, FILE)
    assert "can't be read: No such file" in problem.message
    (root / FILE).mkdir()
    (problem,) = validate_file(root, FILE)
    assert "can't be read: Is a directory" in problem.message


def test_too_large_and_too_many(root: Path, write: Any) -> None:
    (root / FILE).write_bytes(b"#" * 1_000_001)
    (problem,) = validate_file(root, FILE)
    assert "larger than 1,000,000 bytes" in problem.message
    steps = "".join(f"  s{i}: {{script: scripts/train.py}}\n" for i in range(501))
    (problem,) = validate_file(write("steps:\n" + steps), FILE)
    assert "501 steps" in problem.message


def test_load_raises_with_every_problem(write: Any) -> None:
    root = write(CASES["wrong types"][0])
    with pytest.raises(PipelineInvalid) as caught:
        load_pipeline(root, "p")
    assert len(caught.value.problems) == len(CASES["wrong types"][1])
    assert "pipelines/p.yaml has 13 problems" in caught.value.message
    assert "opsdeck pipelines validate p" in caught.value.hint


def test_unknown_pipeline_suggests_the_closest(write: Any) -> None:
    root = write("name: bike-demand\nsteps: {a: {script: scripts/train.py}}\n")
    with pytest.raises(NotFound) as caught:
        load_pipeline(root, "bike-demnd")
    assert "did you mean bike-demand?" in caught.value.hint
    with pytest.raises(NotFound, match="no pipeline x in pipelines/"):
        load_pipeline(root / "nowhere", "x")


def test_two_files_of_one_name(write: Any) -> None:
    root = write("name: twin\nsteps: {a: {script: scripts/train.py}}\n")
    (root / "pipelines/q.yaml").write_text("name: twin\nsteps: {a: {script: scripts/train.py}}\n")
    first, second = find_pipelines(root)
    assert (first.name, first.path, first.problems) == ("twin", "pipelines/p.yaml", ())
    assert second.problems[0].message == "pipelines/p.yaml is called twin too"
    with pytest.raises(PipelineInvalid, match="is called twin too"):
        load_pipeline(root, "twin")
