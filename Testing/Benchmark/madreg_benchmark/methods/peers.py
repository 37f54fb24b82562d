"""Registration tools that a user would pick today, each as simple to use as its own documentation has it.

Every function takes a fixed and a moving file and whether the transform is affine (else rigid), and returns a 4x4
matrix, fixed LPS to moving LPS, mm.  The libraries are optional and imported when a function is called.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from madreg.image.geometry import flip_world, matrix_of_itk


def _centered(fixed: sitk.Image, moving: sitk.Image) -> sitk.Euler3DTransform:
    method = sitk.CenteredTransformInitializerFilter.GEOMETRY
    return sitk.Euler3DTransform(sitk.CenteredTransformInitializer(fixed, moving, sitk.Euler3DTransform(), method))


def identity(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """Nothing: the scans stay where their headers put them."""
    return np.eye(4)


def centers(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """The middle of one field of view onto the middle of the other, no more."""
    return matrix_of_itk(_centered(*(sitk.ReadImage(str(p), sitk.sitkFloat32) for p in (fixed, moving))))


def mattes(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """SimpleITK: Mattes mutual information from the centres of geometry, three resolutions, as BRAINSFit does."""
    images = [sitk.ReadImage(str(p), sitk.sitkFloat32) for p in (fixed, moving)]

    def refined(transform: sitk.Transform) -> sitk.Transform:
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(50)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(0.05, seed=7)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            1.0, 1e-4, 200, relaxationFactor=0.6, gradientMagnitudeTolerance=1e-8
        )
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel([4, 2, 1])
        method.SetSmoothingSigmasPerLevel([2, 1, 0])
        method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
        method.SetInitialTransform(transform, inPlace=True)
        method.Execute(*images)
        return transform

    rigid = refined(_centered(*images))
    if not affine:
        return matrix_of_itk(rigid)
    start = sitk.AffineTransform(3)
    start.SetMatrix(rigid.GetMatrix())
    start.SetTranslation(rigid.GetTranslation())
    start.SetCenter(rigid.GetCenter())
    return matrix_of_itk(refined(start))


def elastix(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """itk-elastix: its default rigid (then affine) parameter map, four resolutions, automatic initialisation."""
    import itk

    images = [itk.imread(str(p), itk.F) for p in (fixed, moving)]
    parameters = itk.ParameterObject.New()
    for name in ["rigid", "affine"] if affine else ["rigid"]:
        stage = parameters.GetDefaultParameterMap(name, 4)
        stage["AutomaticTransformInitialization"] = ["true"]
        parameters.AddParameterMap(stage)
    method = itk.ElastixRegistrationMethod.New(*images)
    method.SetParameterObject(parameters)
    method.SetLogToConsole(False)
    method.UpdateLargestPossibleRegion()
    return matrix_of_itk(method.ConvertToItkTransform(method.GetCombinationTransform()))


def ants(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """antspyx: ``ants.registration`` with type Rigid or Affine."""
    import ants as library

    images = [library.image_read(str(p)) for p in (fixed, moving)]
    done = library.registration(*images, type_of_transform="Affine" if affine else "Rigid")
    return matrix_of_itk(sitk.ReadTransform(done["fwdtransforms"][0]))


def ants_search(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """antspyx: its global search (``affine_initializer``) first."""
    import ants as library

    images = [library.image_read(str(p)) for p in (fixed, moving)]
    start = library.affine_initializer(
        *images, search_factor=20, radian_fraction=0.5, use_principal_axis=False, local_search_iterations=10
    )
    kind = "Affine" if affine else "Rigid"
    done = library.registration(*images, type_of_transform=kind, initial_transform=start)
    return matrix_of_itk(sitk.ReadTransform(done["fwdtransforms"][0]))


def greedy_search(fixed: Path, moving: Path, affine: bool) -> np.ndarray:
    """picsl-greedy: NMI after a global search over 1,000 random poses (any rotation, 20 mm about the centres)."""
    from picsl_greedy import Greedy3D

    with tempfile.TemporaryDirectory() as folder:
        Greedy3D().execute(
            f"-i {fixed} {moving} -a -dof {12 if affine else 6} -o {folder}/out.mat -n 100x50x10 -m NMI "
            f"-ia-image-centers -search 1000 any 20 -threads {os.cpu_count() or 1}"
        )
        return flip_world(np.loadtxt(f"{folder}/out.mat"))  # Greedy's world is RAS


PEERS = {  # name: (function, package to import, its name on PyPI)
    "mattes": (mattes, "SimpleITK", "SimpleITK"),
    "elastix": (elastix, "itk", "itk-elastix"),
    "ants": (ants, "ants", "antspyx"),
    "ants_search": (ants_search, "ants", "antspyx"),
    "greedy_search": (greedy_search, "picsl_greedy", "picsl-greedy"),
}
