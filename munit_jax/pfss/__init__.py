"""Potential-field source-surface models: a boundary map to harmonics, field lines, open field and wind.

>>> from munit_jax.pfss.field import radial_field
>>> from munit_jax.pfss.harmonics import Grid, analysis, make_transform
>>> transform = make_transform(Grid(36, 72), lmax=9)
>>> sine = np.sin(np.deg2rad(transform.grid.latitudes))
>>> dipole = jax.numpy.tile(sine[:, None], 72)  # B_r at the surface, gauss
>>> source_surface = radial_field(transform, analysis(transform, dipole), 2.5)
>>> round(float(source_surface[-1, 0] / dipole[-1, 0]), 3)  # 3 * 0.4**3 / (2 + 0.4**3)
0.093
"""
