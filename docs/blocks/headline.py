"""What README says of accuracy, in one paragraph."""

from typing import Any

from blocks.fits import coverages
from blocks.words import GENERATORS, MAIN, listed, percent, span


def headline(speed: dict[str, Any], errors: dict[str, Any], compared: dict[str, Any]) -> str:
    own = speed["tracerflow"]
    fits = listed(f"{own[f'median error {name} %']:.2g} % in {name}" for name in MAIN)
    covered = span(share for row in errors["rows"] if row["model"] == "2cxm" for share in coverages(row).values())
    rims = [compared["errors"][generator] for generator in GENERATORS]
    without = listed(f"{span(rim['QTMnet'][name][0] for rim in rims)} % in {name}" for name in MAIN)
    shared = percent(rims[0]["truth, population scale"]["Fp"][0])
    return (
        f"Of {int(speed['options']['curves']):,} noisy curves a 2CXM fit finds the optimum in "
        f"{own['at the optimum %']:.3g} %, {own['voxels/s']:,.0f} in a second on two cores of a CPU, with a median "
        f"error of {fits}; its 90 % intervals cover {covered} % where it calls a parameter identifiable. Told the area "
        f"of the input and nothing else of it, QTMnet is off by {without} in tumour rims that it has not seen, with "
        f"90 % intervals that cover {span(mean for mean, *_ in compared['coverage'].values())} %; where nobody tells "
        f"it the area, all four are off together, by another {shared} %."
    )
