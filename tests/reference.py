"""The equations of Jiang & Zhang, "A noise based novel strategy for faster SNN training", in plain NumPy.

And, at the end, those of ANN-to-SNN conversion, the opponent that the paper compares itself with. A yardstick for the
tests: written from the papers alone, one step after another, with nothing shared with the library. H is the potential
before the spike, S the spike (0 or 1), V the potential after it. The time axis, where there is one, comes first.
Floating-point arrays keep their dtype; everything else is computed in float64.
"""

import numpy as np
from scipy.stats import norm


def _floats(x):
    """`x` as a floating-point array: its own dtype if that is one, else float64 (no equation)."""
    x = np.asarray(x)
    return x if np.issubdtype(x.dtype, np.floating) else x.astype(np.float64)


# ---------------------------------------------------------------------------------------------------- neurons


def spike(H, v_th=1.0):
    """Eq. 2: S = 1 where H > V_th, 0 where H <= V_th (a potential that only equals the threshold does not fire)."""
    H = _floats(H)
    return (H > v_th).astype(H.dtype)


def lif(currents, leak=0.5, v_th=1.0, v_reset=0.0):
    """Eqs. 1-3 with V(0) = 0: the leaky integrate-and-fire neuron. Currents [T, ...] -> (H, S, V), each [T, ...]."""
    currents = _floats(currents)
    V = np.zeros_like(currents[0])
    steps = []
    for current in currents:
        H = leak * V + current  # Eq. 1
        S = spike(H, v_th)  # Eq. 2
        V = H * (1 - S) + v_reset * S  # Eq. 3
        steps.append((H, S, V))
    return tuple(np.stack(part) for part in zip(*steps, strict=True))


def if_soft_reset(currents, v_th=1.0, v_init=0.0):
    """Eq. 1 with leak 1 and V(0) = v_init, Eq. 2, and V = H - V_th S in place of Eq. 3. Returns (H, S, V)."""
    currents = _floats(currents)
    V = np.full_like(currents[0], v_init)
    steps = []
    for current in currents:
        H = V + current  # Eq. 1, no leak
        S = spike(H, v_th)  # Eq. 2
        V = H - v_th * S  # reset by subtraction
        steps.append((H, S, V))
    return tuple(np.stack(part) for part in zip(*steps, strict=True))


def single_step(current, noise, v_th=1.0):
    """Eq. 5, H = N_noise + current, and Eq. 2: the single-step neuron. Returns (H, S)."""
    H = _floats(noise) + _floats(current)
    return H, spike(H, v_th)


# ------------------------------------------------------------------------------------- the converted neuron


def _standardised(A, axes=None):
    """Eq. 8: A_hat = (A - mu) / sigma over `axes`; 0 wherever all of A is equal (sigma = 0)."""
    mu = A.mean(axis=axes, keepdims=True)
    sigma = A.std(axis=axes, keepdims=True)
    # Compared by value too: the rounded mean of equal numbers may differ from them, and sigma then is not quite 0.
    flat = (A.max(axis=axes, keepdims=True) == A.min(axis=axes, keepdims=True)) | (sigma == 0)
    return np.where(flat, 0, A - mu) / np.where(flat, 1, sigma)


def _largest(A_hat, axes=None):
    """The max(abs(A_hat)) of Eq. 9 over `axes`; 1 where A_hat is 0 throughout, so that it can be divided by."""
    largest = np.abs(A_hat).max(axis=axes, keepdims=True)
    return np.where(largest == 0, 1, largest)


def potential_term(V_prev, leak, alpha, beta, axes=None):
    """Eqs. 7-9: N(leak V(t-1)), mean beta, within beta +- 1/alpha; beta itself where all potentials are equal.

    mu, sigma and max are taken over `axes` of V_prev [B, ...]: None is the whole array ("layer"), all axes but 0 is
    each image alone ("sample").
    """
    A = leak * _floats(V_prev)  # Eq. 7
    A_hat = _standardised(A, axes)  # Eq. 8
    return A_hat / (alpha * _largest(A_hat, axes)) + beta  # Eq. 9


def potential_term_frozen(V_prev, leak, alpha, beta, mean, max_abs):
    """Eqs. 7-9 with given constants mean = mu and max_abs = max|A - mu| (sigma cancels), clipped to beta +- 1/alpha.

    max_abs = 0 (calibrated on equal potentials) gives beta, as sigma = 0 does in `potential_term`.
    """
    A = leak * _floats(V_prev)  # Eq. 7
    flat = np.equal(max_abs, 0)
    ratio = np.where(flat, 0, A - mean) / (alpha * np.where(flat, 1, max_abs).astype(A.dtype))  # Eqs. 8 and 9
    return np.clip(ratio, -1 / alpha, 1 / alpha) + beta


def converted(currents, noise_first, noises, alpha=4.0, beta=0.5, leak=0.5, v_th=1.0, v_reset=0.0, axes=None):
    """Eq. 5 at the first step, Eq. 6 in Eq. 5 at every later one, then Eqs. 2 and 3: the converted neuron.

    Currents [T, ...]; `noise_first` is the full N_noise of step 1; `noises` holds the N' of steps 2..T, so T - 1 of
    them; `axes` as in `potential_term`, without the time axis. Returns a dict: H, S, V [T, ...], and memory, the list
    of the T - 1 potential terms.
    """
    currents = _floats(currents)
    if len(noises) != len(currents) - 1:
        raise ValueError(f"{len(currents)} steps need {len(currents) - 1} noises after the first, not {len(noises)}")
    V = np.zeros_like(currents[0])  # not used: there is no potential before the first step
    steps, memory = [], []
    for t, current in enumerate(currents):
        if t == 0:
            H = _floats(noise_first) + current  # Eq. 5
        else:
            memory.append(potential_term(V, leak, alpha, beta, axes))  # Eqs. 7-9
            H = memory[-1] + _floats(noises[t - 1]) + current  # Eqs. 5 and 6
        S = spike(H, v_th)  # Eq. 2
        V = H * (1 - S) + v_reset * S  # Eq. 3
        steps.append((H, S, V))
    H, S, V = (np.stack(part) for part in zip(*steps, strict=True))
    return {"H": H, "S": S, "V": V, "memory": memory}


# ------------------------------------------------------------------------------------------------------ noise


def residual_noise_range(alpha, beta, low=0.0, high=1.0):
    """Eq. 6: the range (low', high') of N' with which N' + (beta +- 1/alpha) spans N_noise's [low, high].

    It is empty (low' > high') where 1/alpha exceeds the half width of [low, high]: the memory alone is too wide.
    """
    centre = (low + high) / 2 - beta
    half = (high - low) / 2 - 1 / alpha
    return centre - half, centre + half


def bounded_gaussian(z, low, high, k=4.0):
    """N_noise of Eq. 5 or N' of Eq. 6 from standard normal draws z: sigma = half width / k, clipped to [low, high]."""
    centre, half = (low + high) / 2, (high - low) / 2
    return np.clip(centre + half / k * _floats(z), low, high)


def literal_gaussian(z, low, high):
    """Eqs. 8-9 applied to the draws z themselves, 1/alpha = half width, beta = centre: one end is reached exactly."""
    centre, half = (low + high) / 2, (high - low) / 2
    z_hat = _standardised(_floats(z))  # Eq. 8
    return half * (z_hat / _largest(z_hat)) + centre  # Eq. 9


# -------------------------------------------------------------- surrogate derivatives of Eq. 2, x = H - v_th


def triangle(x, width=1.0):
    """Surrogate dS/dH of Eq. 2: max(0, 1 - |x| / width) / width."""
    return np.maximum(0, 1 - np.abs(_floats(x)) / width) / width


def rectangle(x, width=1.0):
    """Surrogate dS/dH of Eq. 2: 1 / width where |x| < width / 2, else 0."""
    x = _floats(x)
    return (np.abs(x) < width / 2).astype(x.dtype) / width


def arctan(x, slope=2.0):
    """Surrogate dS/dH of Eq. 2: slope / 2 / (1 + (pi / 2 slope x)^2)."""
    return slope / 2 / (1 + (np.pi / 2 * slope * _floats(x)) ** 2)


def sigmoid(x, slope=4.0):
    """Surrogate dS/dH of Eq. 2: slope s (1 - s), s = 1 / (1 + exp(-slope x))."""
    with np.errstate(over="ignore"):  # exp may overflow to infinity, where s is rightly 0
        s = 1 / (1 + np.exp(-slope * _floats(x)))
    return slope * s * (1 - s)


def normal(x, sigma=0.125):
    """Surrogate dS/dH of Eq. 2: the density of a normal."""
    return norm.pdf(_floats(x), scale=sigma)


# ------------------------------------------------------------- beyond the paper: a memory that changes no law


def firing_probability(current, kind, low=0.0, high=1.0, k=4.0, v_th=1.0):
    """Eqs. 5 and 2: P(current + N > v_th) for N uniform on [low, high], or normal and clipped to it.

    A clipped normal is at `low`, or at `high`, with the probability of the tail that was cut off there.
    """
    x = v_th - _floats(current)  # what N must exceed
    if kind == "uniform":
        return np.clip((high - x) / (high - low), 0, 1)
    tail = norm.sf(x, loc=(low + high) / 2, scale=(high - low) / 2 / k)
    return np.where(x >= high, 0, np.where(x < low, 1, tail))


def exact_memory(p, phase):
    """S = 1 where U + p >= 1, then U = U + p - S, from U = phase. p [T, ...] -> (U + p, S, U), each [T, ...]."""
    U, steps = _floats(phase), []
    for p_t in p:
        H = U + p_t
        S = (H >= 1).astype(H.dtype)
        U = H - S
        steps.append((H, S, U))
    return tuple(np.stack(part) for part in zip(*steps, strict=True))


# ------------------------------------------------------------------------------------ ANN-to-SNN conversion


def qcfs(x, levels, theta=1.0):
    """Bu et al. 2022, Eq. 15, shift 1/2: theta clip(floor(x L / theta + 1/2) / L, 0, 1)."""
    return theta * np.clip(np.floor(_floats(x) * levels / theta + 0.5) / levels, 0, 1)


def qcfs_slope(x, levels, theta=1.0):
    """Its derivative with the floor's taken as 1: 1 where -theta / 2L < x < theta - theta / 2L, else 0."""
    x = _floats(x)
    return ((-theta / (2 * levels) < x) & (x < theta - theta / (2 * levels))).astype(x.dtype)


def if_spike_count(x, T, v_th=1.0, v_init=0.0):
    """Spikes of `if_soft_reset` in T steps of a constant current x, V(0) in [0, v_th], in closed form.

    What is not yet spent of T x + V(0) stays in (0, v_th] for x in (0, v_th]; below, nothing fires, above, each step.
    """
    return np.clip(np.ceil((T * _floats(x) + v_init) / v_th) - 1, 0, T)


def nth_of_sorted(x, percentile):
    """Number round(percentile / 100 n) of the n values in ascending order, at least the first."""
    ordered = np.sort(np.ravel(x))
    return ordered[max(round(percentile / 100 * ordered.size), 1) - 1]


def folded(weight, mean, var, gamma, beta, eps):
    """gamma (W x - mean) / sqrt(var + eps) + beta as one convolution [out, in, h, w] with bias: (weight, bias)."""
    factor = _floats(gamma) / np.sqrt(_floats(var) + eps)
    return _floats(weight) * factor[:, None, None, None], beta - mean * factor
