"""What gliomas and those who have them are like, by WHO grade: medians and scatter between patients, with sources.

Grades overlap as the literature says they do. These numbers are of patients and are kept apart from the wide priors of
`simulate.phantoms.priors`, which suit training: with those PS alone would tell grade 2 from grade 4 without an error.
None of them was chosen by how well an estimator or a classifier does.

How far grades lie apart follows meta-analyses of grading by perfusion: standardised differences of low and high grade
in Ktrans 1.18, ve 1.43, rCBV 1.44, rCBF 1.17 and pooled areas under the curve of .90, .88, .93, .73 (Liang et al., Acad
Radiol 2018, 22 studies); sensitivity .93, specificity .90 (Okuchi et al., Acad Radiol 2019, 546 patients); grade II v
III by rCBV .77 (Delgado & Delgado, AJNR 2017).
"""

from typing import NamedTuple

GRADES = (2, 3, 4)


class Spread(NamedTuple):
    """Log-normal between patients, cut off at `CUT` deviations.

    median : in clinical units.      sd : of the natural logarithm.
    """

    median: float
    sd: float


CUT = 2.5
"""Standard deviations beyond which nobody is drawn; no draw is moved to an end, so none has an atom."""


class Glioma(NamedTuple):
    """Of one grade.

    Fp, vp, ve : of the solid part.      PS_enhancing, PS_intact : with a leaky and with a tight barrier.
    enhancing : share with a leaky barrier.      t10 : of the solid part [s].
    diameter : of a sphere as large as the solid part and what it encloses [mm].
    age : mean [years].      idh_mutant, codeleted : share; and of the mutated ones with 1p/19q co-deleted.
    resection : shares of `RESECTIONS`.      survival : median [days] at the grade's mean age after a subtotal
    resection, IDH wild type and mutant.
    """

    Fp: Spread
    PS_enhancing: Spread
    PS_intact: Spread
    vp: Spread
    ve: Spread
    enhancing: float
    t10: Spread
    diameter: Spread
    age: float
    idh_mutant: float
    codeleted: float
    resection: tuple[float, float, float]
    survival: tuple[float, float]


RESECTIONS = ("GTR", "STR", "biopsy")
"""Gross total, subtotal, biopsy alone."""

GLIOMAS: dict[int, Glioma] = {
    2: Glioma(
        Fp=Spread(18, 0.5), PS_enhancing=Spread(4, 0.8), PS_intact=Spread(0.5, 0.8), vp=Spread(0.025, 0.48),
        ve=Spread(0.16, 0.4), enhancing=0.25, t10=Spread(1.50, 0.14), diameter=Spread(40, 0.2), age=41.2,
        idh_mutant=0.82, codeleted=0.24, resection=(0.18, 0.69, 0.13), survival=(1500, 3600),
    ),
    3: Glioma(
        Fp=Spread(26, 0.55), PS_enhancing=Spread(5, 0.8), PS_intact=Spread(0.6, 0.8), vp=Spread(0.037, 0.48),
        ve=Spread(0.20, 0.4), enhancing=0.60, t10=Spread(1.55, 0.14), diameter=Spread(38, 0.2), age=46.9,
        idh_mutant=0.67, codeleted=0.07, resection=(0.16, 0.70, 0.14), survival=(600, 1980),
    ),
    4: Glioma(
        Fp=Spread(35, 0.6), PS_enhancing=Spread(7, 0.8), PS_intact=Spread(0.8, 0.8), vp=Spread(0.05, 0.48),
        ve=Spread(0.26, 0.4), enhancing=0.875, t10=Spread(1.60, 0.14), diameter=Spread(36, 0.2), age=60.2,
        idh_mutant=0.07, codeleted=0.0, resection=(0.58, 0.32, 0.10), survival=(430, 940),
    ),
}  # fmt: skip
"""By grade.

Fp, PS, vp, ve : medians and scatter as a whole give the areas under the curve above; PS and grade 3 chosen between.
enhancing : of grade 4, 12.5 % of 352 glioblastomas do not enhance (doi 10.1093/neuonc/noaf070); 27.9 % of the
    gliomas that do not are of high grade (Eichberg et al. 2020); shares of grades 2 and 3 chosen.
t10 : 1.5 s is what Tietze et al. (PLoS One 2015 10:e0123890) take for gliomas; others find 1.36 s in low and 1.86 s in
    high grade by fingerprinting, hardly overlapping: a difference between methods that no T10 map should grade by.
diameter : enhancing glioblastomas have a median of 18 mL (quartiles 8 and 42 mL, Henker et al., World Neurosurg 2018
    115:e448) without their necrosis; low-grade gliomas are larger when they are found. Scatter chosen, smaller than
    there, so that a slab holds the tumour.
age, idh_mutant, codeleted, resection : of the 501 rows of UCSF-PDGM (Calabrese et al. 2022).
survival : Yan et al., NEJM 2009 360:765 (glioblastoma 15 and 31 months by IDH, anaplastic astrocytoma 20 and 65);
    grade 2 chosen, longer.
"""

AGE_SD, YOUNGEST, OLDEST = 13.5, 18.0, 95.0
"""Of every grade [years]; UCSF-PDGM."""

MALE = 0.6
"""Share; UCSF-PDGM."""

FLOW_AND_VOLUME = 0.6
"""Correlation of the logarithms of Fp and vp between patients (chosen)."""

NECROSIS = {True: 0.9, False: 0.25}
"""Share with a necrotic core, of the enhancing and of the others: 92 and 25 % (as above)."""

RIM, OEDEMA, INFILTRATION = Spread(6.0, 0.3), {True: Spread(9.0, 0.35), False: Spread(5.0, 0.35)}, Spread(3.0, 0.3)
"""Thickness of solid tissue around a core, reach of oedema around enhancing and other tumours, and of infiltration
[mm]; alike for all grades (chosen)."""

TEXTURE, IRREGULARITY, LOBES = Spread(0.28, 0.25), (0.2, 1.0), (0.15, 0.35)
"""Deviation of the logarithm of each parameter within a tumour, how tumour-like its vessels are, and depth of
lobulation: drawn for every patient, ALIKE for all grades. Where grades differ in these they are told apart by the
width of a histogram, which no source supports."""

T2 = {True: Spread(0.25, 0.35), False: Spread(0.17, 0.35)}
"""Of the solid part [s], IDH mutant and wild type, whatever the grade: 357±115 and 200±53 ms in grades II and III by
mapping, 56 to 90 ms by fingerprinting; pulled together, since methods differ by more than tumours (chosen)."""

HAEMATOCRIT = {True: (0.44, 0.03), False: (0.40, 0.03)}
"""Mean and standard deviation of men and of women; adults' reference ranges .41-.50 and .36-.44."""

MIXINGS = (1.0, 0.5, 0.25, 0.0)
"""1/N of the stirred tanks of a patient's capillaries, in equal shares; nobody knows which (chosen)."""
