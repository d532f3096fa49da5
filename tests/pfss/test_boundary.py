import jax
import jax.numpy as jnp
import numpy as np
import pytest

from munit_jax.pfss.boundary import (
    boundary_maps,
    combine,
    insert,
    meridian_weight,
    radial_patch,
    radial_views,
    sample_disk,
    without_monopole,
)
from munit_jax.pfss.harmonics import Grid, make_transform, mean_over_sphere
from munit_jax.sun.disk import DiskGeometry, heliographic, heliographic_to_pixel, mu, sdoml_geometry

GRID = Grid(90, 180)


@pytest.fixture(scope="module")
def transform():
    return make_transform(GRID, 20)


def smooth(latitude, longitude):
    """A radial field of low degree with a net flux on any disk."""
    phi, lam = np.deg2rad(latitude), np.deg2rad(longitude)
    return 20 + 30 * np.sin(phi) + 25 * np.cos(phi) * np.cos(lam - 0.5) + 10 * np.cos(2 * lam) * np.cos(phi) ** 2


def magnetogram(geometry):
    """What an observer sees of the field along the line of sight."""
    return np.nan_to_num(smooth(*heliographic(geometry)) * mu(geometry)).astype(np.float32)


def on_map():
    return smooth(GRID.latitudes[:, None], GRID.longitudes[None])


@pytest.fixture(scope="module")
def sunpy_view():
    """A view of the Sun as SunPy has it, the same as a geometry, the frame of its map, and SunPy's radius and time."""
    pytest.importorskip("sunpy", reason="sunpy comes with the extra `solar`")
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from sunpy.coordinates import HeliographicCarrington, Helioprojective
    from sunpy.map import Map, make_fitswcs_header

    time, distance, b0, l0 = "2011-02-15T00:00:00", 212.5, -6.7, 33.3
    radius = 695_700 * u.km
    frame = HeliographicCarrington(observer="self", obstime=time, rsun=radius)
    observer = SkyCoord(l0 * u.deg, b0 * u.deg, distance * radius, frame=frame)
    centre = SkyCoord(0 * u.arcsec, 0 * u.arcsec, frame=Helioprojective(observer=observer, obstime=time, rsun=radius))
    scale = 4.8
    header = make_fitswcs_header((512, 512), centre, scale=[scale, scale] * u.arcsec / u.pix)
    plane = np.rad2deg(1 / np.sqrt(distance**2 - 1)) * 3600  # tan(asin(1 / D)) in arcsec
    geometry = DiskGeometry(512, plane / scale, (255.5, 255.5), b0, l0, distance)
    carrington = HeliographicCarrington(observer=observer, obstime=time, rsun=radius)
    return Map(np.zeros((512, 512)), header), geometry, carrington


def test_pixels_agree_with_sunpy(sunpy_view):
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import skycoord_to_pixel

    seen, geometry, carrington = sunpy_view
    around = geometry.l0 + np.arange(-60, 61, 15.0)
    latitude, longitude = (x.ravel() for x in np.meshgrid(np.arange(-60, 61, 15.0), around))
    points = SkyCoord(longitude * u.deg, latitude * u.deg, carrington.rsun, frame=carrington)
    their_x, their_y = skycoord_to_pixel(points, seen.wcs)
    x, y, _ = heliographic_to_pixel(geometry, latitude, longitude)
    np.testing.assert_allclose(x, their_x, atol=1e-4)
    np.testing.assert_allclose(y, their_y, atol=1e-4)


def test_cells_of_the_map_agree_with_reproject(sunpy_view):
    """Images whose values are their pixels' numbers: reproject's linear interpolation finds the pixel of each cell."""
    pytest.importorskip("reproject", reason="reproject comes with the extra `solar`")
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from astropy.wcs import WCS
    from reproject import reproject_interp
    from sunpy.map import make_fitswcs_header

    seen, geometry, carrington = sunpy_view
    grid = Grid(36, 72)
    corner = SkyCoord(0 * u.deg, 0 * u.deg, carrington.rsun, frame=carrington)
    target = make_fitswcs_header(
        (36, 72), corner, scale=[5, 5] * u.deg / u.pix, reference_pixel=[-0.5, 17.5] * u.pix, projection_code="CAR"
    )
    rows, columns = np.mgrid[:512, :512].astype(float)
    theirs = [reproject_interp((ramp, seen.wcs), WCS(target), (36, 72))[0] for ramp in (columns, rows)]
    latitude, longitude = (x.astype(float) for x in np.meshgrid(grid.latitudes, grid.longitudes, indexing="ij"))
    x, y, visible = heliographic_to_pixel(geometry, latitude, longitude)
    compared = visible & np.isfinite(theirs[0])
    assert compared.sum() > 800
    np.testing.assert_allclose(x[compared], theirs[0][compared], atol=1e-4)
    np.testing.assert_allclose(y[compared], theirs[1][compared], atol=1e-4)


@pytest.mark.parametrize("size", [256, 700])
def test_flux_is_conserved_on_a_smooth_map(size, transform):
    geometry = sdoml_geometry(size, b0=6.0, l0=357.0)
    sampling = sample_disk(geometry, GRID)
    patch = radial_patch(sampling, jnp.asarray(magnetogram(geometry)))
    weight, field = np.asarray(sampling.weight), on_map()
    there, here = ((weight * x * GRID.solid_angles[:, None]).sum() for x in (np.asarray(patch), field))
    assert there == pytest.approx(here, rel=0.01)
    full = weight == 1
    np.testing.assert_allclose(np.asarray(patch)[full], field[full], atol=1.0)
    assert 0.3 < (weight * GRID.solid_angles[:, None]).sum() / (4 * np.pi) < 0.5


def test_what_is_behind_the_sun_is_not_used():
    sampling = sample_disk(sdoml_geometry(64, l0=90.0), GRID)
    far = np.abs(GRID.longitudes - 270) < 80
    assert not np.asarray(sampling.weight)[:, far].any()
    assert not np.asarray(sampling.gain)[:, :, far].any()


def test_insertion_as_it_is_and_flux_matched(transform):
    background, patch = jnp.ones((90, 180)), jnp.full((90, 180), 5.0)
    weight = jnp.asarray((np.abs(GRID.longitudes - 100) < 40)[None] * np.full((90, 1), 0.5), jnp.float32)
    as_is = np.asarray(insert(transform, background, patch, weight))
    assert as_is[3, 50] == pytest.approx(3.0)
    assert as_is[3, 150] == pytest.approx(1.0)
    generator = np.random.default_rng(0)
    background, patch = (jnp.asarray(generator.normal(3, 5, (90, 180)), jnp.float32) for _ in range(2))
    matched = insert(transform, background, patch, weight, "flux_matched")
    before = float(mean_over_sphere(transform, background))
    assert mean_over_sphere(transform, matched) == pytest.approx(before, rel=1e-5)
    difference = np.asarray(matched - insert(transform, background, patch, weight))
    assert np.ptp(difference[np.asarray(weight) > 0]) < 1e-5  # a constant


def test_the_monopole_is_taken_off_and_reported(transform):
    field, mean = without_monopole(
        transform, jnp.asarray(2.5 + np.sin(np.deg2rad(GRID.latitudes))[:, None] * np.ones(180), jnp.float32)
    )
    assert mean == pytest.approx(2.5, rel=1e-6)
    assert mean_over_sphere(transform, field) == pytest.approx(0, abs=1e-6)


def test_views_are_weighed_where_they_overlap():
    patches = jnp.stack([jnp.full((90, 180), 2.0), jnp.full((90, 180), 6.0)])
    weights = np.zeros((2, 90, 180), np.float32)
    weights[0, :, :60], weights[1, :, 40:100] = 1.0, 1.0
    alike = jnp.ones((2, 90, 180))
    patch, weight = combine(patches, jnp.asarray(weights), alike)
    assert patch[5, 10] == pytest.approx(2.0)
    assert patch[5, 50] == pytest.approx(4.0)
    assert patch[5, 90] == pytest.approx(6.0)
    assert weight[5].tolist() == [1.0] * 100 + [0.0] * 80
    preference = alike.at[0].set(3.0)
    assert combine(patches, jnp.asarray(weights), preference)[0][5, 50] == pytest.approx(3.0)


def test_strips_by_hand():
    weight = meridian_weight(Grid(18, 36), l0=355.0)[0]
    assert weight[35] == pytest.approx(1.0)
    assert weight[5] == pytest.approx(0.5**4)  # 60 degrees to the west
    assert weight[17] == pytest.approx(1e-4)  # behind


def test_what_is_seen_over_the_pole_counts():
    geometry = sdoml_geometry(128, b0=30.0, l0=20.0)
    image = magnetogram(geometry)
    (patch,), weight = radial_views(GRID, [geometry], [image[None]])
    alone = radial_patch(sample_disk(geometry, GRID), jnp.asarray(image))
    beyond = (np.asarray(weight) > 0) & (np.cos(np.deg2rad(GRID.longitudes - 20)) < -0.1)[None]
    assert beyond.sum() > 100
    np.testing.assert_allclose(patch, alone, rtol=1e-5, atol=1e-5)


def test_three_vantage_points_see_the_whole_sun(transform):
    geometries = [sdoml_geometry(256, l0=l0) for l0 in (20.0, 140.0, 260.0)]
    (patch,), weight = radial_views(GRID, geometries, [magnetogram(geometry)[None] for geometry in geometries])
    middle = np.abs(GRID.latitudes) < 40
    assert (np.asarray(weight)[middle] > 0.99).all()
    np.testing.assert_allclose(np.asarray(patch)[middle], on_map()[middle], atol=1.5)


def test_one_realisation_of_a_view_goes_with_several_of_another():
    geometries = [sdoml_geometry(64, l0=20.0), sdoml_geometry(48, b0=5.0, l0=80.0)]
    one, several = (magnetogram(geometry)[None] for geometry in geometries)
    several = np.concatenate([several, -2 * several])
    patches, weight = radial_views(GRID, geometries, [one, several])
    samplings = [sample_disk(geometry, GRID) for geometry in geometries]
    preference = jnp.stack([jnp.asarray(meridian_weight(GRID, g.l0), jnp.float32) for g in geometries])
    assert len(patches) == 2
    for patch, image in zip(patches, several, strict=True):
        views = jnp.stack([radial_patch(s, jnp.asarray(x)) for s, x in zip(samplings, (one[0], image), strict=True)])
        expected = combine(views, jnp.stack([sampling.weight for sampling in samplings]), preference)
        np.testing.assert_allclose(patch, expected[0], atol=1e-4)
        np.testing.assert_array_equal(weight, expected[1])
    with pytest.raises(ValueError, match="broadcast"):
        radial_views(GRID, geometries, [np.concatenate([one] * 3), several])


def test_boundaries_of_a_batch_are_linear_and_differentiable(transform):
    geometry = sdoml_geometry(48)
    background = jnp.asarray(on_map(), jnp.float32)

    def boundaries(images, insertion):
        return boundary_maps(transform, *radial_views(GRID, [geometry], [images]), background, insertion)

    images = jnp.asarray(np.random.default_rng(0).normal(0, 50, (2, 48, 48)), jnp.float32)
    fields, monopoles = boundaries(images, "flux_matched")
    assert fields.shape == (2, 90, 180)
    assert monopoles == pytest.approx([20.0 + float(mean_over_sphere(transform, background)) - 20.0] * 2, rel=1e-4)

    def at(image):
        return boundaries(image[None], "as_is")[0][0, 45, 1]

    gradient = jax.grad(at)(images[0])
    shift = images[1] - images[0]
    assert (gradient * shift).sum() == pytest.approx(float(at(images[1]) - at(images[0])), rel=1e-3)
