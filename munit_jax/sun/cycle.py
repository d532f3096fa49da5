"""The magnetic cycle: which polarity leads (Hale's law), and the phase of a cycle."""

from datetime import UTC, datetime

from munit_jax.sun.constants import DAY

# Minima before cycles 21 to 25, months of the smoothed sunspot number (SILSO, Royal Observatory of Belgium).
FIRST_CYCLE = 21
MINIMA = tuple(
    datetime(year, month, 1, tzinfo=UTC).timestamp()
    for year, month in ((1976, 3), (1986, 9), (1996, 8), (2008, 12), (2019, 12))
)
CYCLE_YEARS = 11.0  # of a cycle that is not over
YEAR = 365.25 * DAY  # seconds


def cycle_and_phase(time: float) -> tuple[int, float]:
    """Return the number of the cycle at a time (seconds since 1970), and its phase, 0 at its minimum to 1 at the next.

    Raises:
        ValueError: a time before the minimum of 1976, or after the first 11 years of the last cycle that has begun.
    """
    ends = (*MINIMA[1:], MINIMA[-1] + CYCLE_YEARS * YEAR)
    for k, (begin, end) in enumerate(zip(MINIMA, ends, strict=True)):
        if begin <= time < end:
            return FIRST_CYCLE + k, (time - begin) / (end - begin)
    first, last = (datetime.fromtimestamp(t, UTC).date() for t in (MINIMA[0], ends[-1]))
    when = datetime.fromtimestamp(time, UTC).date()
    raise ValueError(f"{when}: the cycles are known from {first} to {last}; add the minimum to munit_jax/sun/cycle.py")


def hale_sign(time: float) -> float:
    """Return the polarity that follows in the northern hemisphere, and leads in the southern: +1 or -1.

    In even cycles the leading polarity of the north is negative, which gives +1. Around a minimum, when there are
    regions of both cycles, the sign is that of the calendar. Raises as `cycle_and_phase`.
    """
    return 1.0 if cycle_and_phase(time)[0] % 2 == 0 else -1.0
