"""Estimation at full size: 2,000 hard problems, 200 of them against 50 digits, a million steps."""

import pytest

import sysid
from tests.inference.hard import audit, hard_problem, innovation_condition
from tests.inference.test_reliability import fifty_digits

pytestmark = pytest.mark.evidence


def test_two_thousand_hard_problems(record):
    wrong, worst, excused = [], [], []
    for seed in range(2000):
        try:
            said, gap, rounding = audit(seed)
        except Exception as error:
            said, gap, rounding = [f"seed {seed}: {type(error).__name__} {error}"], None, 0.0
        wrong += said
        if gap is not None:
            (excused if 1e-6 < gap <= rounding else worst).append((gap, seed))
    record("issue 3: hard problems of 2000 with an exception, NaN, asymmetry or a negative eigenvalue", len(wrong), bar="<= 0",
           note="; ".join(wrong[:3]))
    record("issue 3: hard problems compared between forms", len(worst) + len(excused),
           note="innovation covariances of condition below 1e10, variances within double precision")
    record("issue 3: of these, forms differ by more than 1e-6 but by less than one rounding of the input", len(excused))
    record("issue 3: of the others, forms differ by more than 1e-6", sum(g > 1e-6 for g, _ in worst), bar="<= 0",
           note=", ".join(f"seed {s}" for g, s in worst if g > 1e-6))
    record("issue 3: largest difference between forms", max(worst)[0], bar="<= 1e-6")


def test_two_hundred_against_fifty_digits(record):
    gaps, excused, seed = [], [], 10000
    while len(gaps) + len(excused) < 200:
        process, data = hard_problem(seed, n_max=5, p_max=4, T_max=40)
        s = sysid.smooth(process, data)
        if innovation_condition(s.filter) < 1e10:
            exact = fifty_digits(process, data)
            error = exact.gap(s)
            if error > 1e-6 and error <= exact.rounding(seed):
                excused.append(f"seed {seed}: {error:.2g}")
            else:
                gaps.append(error)
        seed += 1
    record("issue 3: of 200 problems, differ from the 50-digit reference by less than one rounding of the input does", len(excused),
           note="; ".join(excused))
    record("issue 3: largest difference from the 50-digit reference, the others", max(gaps), bar="<= 1e-6")
