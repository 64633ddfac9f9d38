"""Strategies, targets and options."""
# ruff: noqa: E501  (mistakes on purpose)
# pyright: basic, reportCallIssue=false, reportArgumentType=false, reportIndexIssue=false, reportOptionalOperand=false
# pyright: reportOperatorIssue=false, reportAttributeAccessIssue=false, reportGeneralTypeIssues=false, reportUnusedExpression=false

import akg
from tests.errors.mistakes.base import OTHER, SUM, A, B, case, ones

# fmt: off

@case("""
AKG-E301: unknown strategy 'pluuto'
    akg.build([SUM], inputs=[A, B], strategy="pluuto")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES; a path must end in .json
hint: did you mean 'pluto'?
""")
def unknown_strategy():
    akg.build([SUM], inputs=[A, B], strategy="pluuto")


@case("""
AKG-E301: a strategy is a name, a path or a dict, not int
    akg.build([SUM], inputs=[A, B], strategy=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES
hint: leave strategy away for 'auto'
""")
def strategy_of_another_type():
    akg.build([SUM], inputs=[A, B], strategy=3)


@case("""
AKG-E302: cannot read strategy absent.json
    akg.build([SUM], inputs=[A, B], strategy="absent.json")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: No such file or directory
hint: give the path of a JSON file, or a name such as 'auto'
""")
def strategy_without_a_file():
    akg.build([SUM], inputs=[A, B], strategy="absent.json")


@case("""
AKG-E302: vectorise of the strategy: unknown key 'vectorise'
    akg.build([SUM], inputs=[A, B], strategy={"vectorise": True})
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the keys here are KEYS
hint: did you mean 'vectorize'?
""")
def strategy_with_an_unknown_key():
    akg.build([SUM], inputs=[A, B], strategy={"vectorise": True})


@case("""
AKG-E302: vectorize of the strategy: 'yes' is not of type boolean
    akg.build([SUM], inputs=[A, B], strategy={"vectorize": "yes"})
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is string
hint: write true or false (True or False in a dict)
""")
def strategy_with_a_value_of_another_type():
    akg.build([SUM], inputs=[A, B], strategy={"vectorize": "yes"})


@case("""
AKG-E301: unknown strategy 'islet'
    akg.lower([SUM]).schedule("islet")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg ships STRATEGIES; a path must end in .json
hint: did you mean 'isl'?
""")
def unknown_strategy_of_a_stage():
    akg.lower([SUM]).schedule("islet")


@case("""
AKG-E401: unknown target 'cpux'
    akg.build([SUM], inputs=[A, B], target="cpux")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: did you mean 'cpu'?
""")
def unknown_target():
    akg.build([SUM], inputs=[A, B], target="cpux")


@case("""
AKG-E401: a target is a name or a Target, not int
    akg.build([SUM], inputs=[A, B], target=3)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: leave target away for the machine that you are on
""")
def target_of_another_type():
    akg.build([SUM], inputs=[A, B], target=3)


@case("""
AKG-E401: unknown target 'x86-64-v5'
    akg.lower([SUM]).schedule().compile("x86-64-v5")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: akg knows aarch64, aarch64-neon, aarch64-sve256, aarch64-sve512, cpu, riscv64, riscv64-v, x86-64-v2, x86-64-v3, x86-64-v4
hint: did you mean 'x86-64-v4'?
""")
def unknown_target_of_a_stage():
    akg.lower([SUM]).schedule().compile("x86-64-v5")


@case("""
AKG-E410: kernel add cannot run here
    akg.build([SUM], inputs=[A, B], target=OTHER)(ones, ones)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: it is code for aarch64 (target aarch64-neon), and this machine is x86_64
hint: look at its source('asm'), or build it for target='cpu' to call it
""")
def kernel_for_another_machine():
    akg.build([SUM], inputs=[A, B], target=OTHER)(ones, ones)


@case("""
AKG-E111: unknown option 'num_thread'
    akg.config.override(num_thread=2)
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: the options are num_threads, cache, cache_dir, pool_bytes, dump, debug, debug_kernel, log, target, strategy, legality, fast_math
hint: did you mean 'num_threads'?
""")
def unknown_option():
    akg.config.override(num_thread=2)


@case("""
AKG-E110: cache='read' is not a value for option 'cache'
    akg.config.override(cache="read")
    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
because: expected rw | ro | off
hint: kernel cache on disk: rw | ro | off
""")
def value_of_an_option():
    akg.config.override(cache="read")
