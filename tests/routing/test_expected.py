"""Expected tokens: bytes, limits and history; capped answers teach nothing."""

from tokenergy.routing.expected import Lengths


def learnt(lengths: Lengths, count: int, *, tokens: int, capped: bool = False) -> Lengths:
    for _ in range(count):
        lengths = lengths.seen(
            tenant="ann",
            model="m",
            tier="free",
            text_bytes_count=300,
            text_tokens=100,
            output_tokens=tokens,
            capped=capped,
        )
    return lengths


def output_mean(lengths: Lengths, cap_tokens: int | None = None, answers: int = 1) -> int:
    return lengths.output_tokens(
        tenant="ann",
        model="m",
        tier="free",
        prior_mean_tokens=500,
        prior_late_tokens=900,
        cap_tokens=cap_tokens,
        answers_count=answers,
    ).mean_tokens


def test_input_begins_at_four_bytes_a_token_and_moves_to_what_is_seen() -> None:
    """One usage of 3 bytes a token moves 4 by a twentieth of the difference: 3.95."""
    none = Lengths()
    assert none.input_tokens(tenant="ann", model="m", text_bytes_count=4_000) == 1_000
    one = learnt(none, 1, tokens=100)
    assert one.input_tokens(tenant="ann", model="m", text_bytes_count=3_950) == 1_000
    many = learnt(none, 400, tokens=100)
    assert many.input_tokens(tenant="ann", model="m", text_bytes_count=3_000) == 1_000
    assert many.input_tokens(tenant="bob", model="m", text_bytes_count=4_000) == 1_000
    assert none.input_tokens(tenant="ann", model="m", text_bytes_count=0) == 1
    assert none.input_tokens(tenant="a", model="m", text_bytes_count=400, other_tokens=765) == 865


def test_output_is_the_tiers_until_thirty_answers_were_seen() -> None:
    assert output_mean(learnt(Lengths(), 29, tokens=100)) == 500
    assert output_mean(learnt(Lengths(), 30, tokens=100)) == 100


def test_capped_answers_are_left_out() -> None:
    """Thirty answers of 100, then many cut at 20: a mean of them would fall, and cap again."""
    seen = learnt(learnt(Lengths(), 30, tokens=100), 200, tokens=20, capped=True)
    assert output_mean(seen) == 100


def test_caps_and_counts() -> None:
    seen = learnt(Lengths(), 40, tokens=100)
    assert output_mean(seen, cap_tokens=60) == 60
    assert output_mean(seen, cap_tokens=60, answers=3) == 180
    expected = seen.output_tokens(
        tenant="ann",
        model="m",
        tier="free",
        prior_mean_tokens=500,
        prior_late_tokens=900,
        cap_tokens=4_000,
        answers_count=2,
    )
    assert expected.most_tokens == 8_000
    assert output_mean(Lengths(), cap_tokens=None) == 500


def test_the_late_figure_is_the_95th_percentile() -> None:
    """Answers of 1 to 60 tokens: mean 30.5, rounded to even; at 0.95 x 60 = 57 stands 58."""
    lengths = Lengths()
    for tokens in range(1, 61):
        lengths = learnt(lengths, 1, tokens=tokens)
    expected = lengths.output_tokens(
        tenant="ann",
        model="m",
        tier="free",
        prior_mean_tokens=500,
        prior_late_tokens=900,
        cap_tokens=None,
    )
    assert (expected.mean_tokens, expected.late_tokens) == (30, 58)


def test_it_forgets_what_is_long_ago() -> None:
    moved = learnt(learnt(Lengths(), 64, tokens=100), 64, tokens=300)
    assert output_mean(moved) == 300
