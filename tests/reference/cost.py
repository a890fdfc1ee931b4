"""The cost of a chain of DynOPool and convolution layers, and its gradient, by explicit loops.

Layer l resizes a map of C_l channels from H_{l-1} to H_l = round(max(H_{l-1} / α_l, 1.5)) and
convolves it to C_{l+1} channels with a k × k kernel that keeps the size. Its multiply-accumulates
are 4 an interpolated pixel, on a grid of 2 H_l × 2 W_l, and k² C_l C_{l+1} an output pixel. The
gradient treats rounding as the identity and follows every size through the sizes before it:

    dH_l / dα_l = -H_{l-1} / α_l²,    dH_l / dα_j = (dH_{l-1} / dα_j) / α_l    for j < l
"""

import numpy as np


def chain_cost(alphas, channels, kernel, size):
    """(macs, gradient) at strides `alphas` (L, 2), `channels` (L + 1), input `size` (H, W)."""
    layers = len(alphas)
    sizes = [[float(n) for n in size]]
    slopes = [np.zeros((2, layers))]  # slopes[l][axis][j] = dH_l / dα_j on that axis
    for layer in range(layers):
        new_sizes, new_slopes = [], np.zeros((2, layers))
        for axis in (0, 1):
            before, alpha = sizes[layer][axis], float(alphas[layer][axis])
            soft = before / alpha
            if soft > 1.5:
                for j in range(layer):
                    new_slopes[axis][j] = slopes[layer][axis][j] / alpha
                new_slopes[axis][layer] = -before / alpha**2
            new_sizes.append(float(np.round(max(soft, 1.5))))  # halves to the even integer
        sizes.append(new_sizes)
        slopes.append(new_slopes)
    macs, gradient = 0.0, np.zeros((layers, 2))
    for layer in range(layers):
        height, width = sizes[layer + 1]
        each = 4 * 2 * 2 * channels[layer] + kernel**2 * channels[layer] * channels[layer + 1]
        macs += each * height * width
        for j in range(layers):
            gradient[j][0] += each * slopes[layer + 1][0][j] * width
            gradient[j][1] += each * height * slopes[layer + 1][1][j]
    return macs, gradient
