"""Small matrix arithmetic that kernels share, written out where a library call would cost more than the work."""

from __future__ import annotations

import numpy as np

from ._jit import helper

EPS = 2.220446049250313e-16
SMALLEST = 1e-280  # variances below it have left double precision
NEGATIVE = 5e-10  # eigenvalue of a correlation matrix, below zero, that rounding may not reach


@helper
def copy(source, target):
    """target = source for matrices; a slice assignment compiles to far more code."""
    for i in range(target.shape[0]):
        for j in range(target.shape[1]):
            target[i, j] = source[i, j]


@helper
def product(A, B, out):
    """out = A B into the upper left corner, by rows so that the inner loop runs along memory."""
    for i in range(A.shape[0]):
        for j in range(B.shape[1]):
            out[i, j] = 0.0
        for k in range(A.shape[1]):
            a = A[i, k]
            if a != 0.0:
                for j in range(B.shape[1]):
                    out[i, j] += a * B[k, j]


@helper
def multiply(A, B, out, large):
    """out = A B by BLAS above `large` products, below as `product`, where zeros of A cost nothing."""
    if A.shape[0] * A.shape[1] * B.shape[1] > large:
        np.dot(A, B, out)
    else:
        product(A, B, out)


@helper
def mirror(P):
    """The lower triangle above the diagonal too."""
    for i in range(P.shape[0]):
        for j in range(i):
            P[j, i] = P[i, j]


@helper
def square(L, P):
    """P = L L'."""
    for i in range(P.shape[0]):
        for j in range(i + 1):
            total = 0.0
            for k in range(L.shape[1]):
                total += L[i, k] * L[j, k]
            P[i, j] = total
            P[j, i] = total
        if not P[i, i] > SMALLEST:
            for j in range(i + 1):
                P[i, j] = 0.0
                P[j, i] = 0.0


@helper
def unchanged(P, before, roundings):
    """Whether P moved by no more than so many roundings, each entry relative to its own variances."""
    n = P.shape[0]
    tolerance = roundings * np.sqrt(n) * EPS
    for i in range(n):
        for j in range(i + 1):
            if abs(P[i, j] - before[i, j]) > tolerance * np.sqrt(P[i, i]) * np.sqrt(P[j, j]):
                return False
    return True


@helper
def finite(vector, matrix):
    """Whether every entry of a vector (n,) and a matrix (n, k) is a number, without an array in between."""
    for i in range(len(vector)):
        if not abs(vector[i]) <= 1.7e308:
            return False
        for j in range(matrix.shape[1]):
            if not abs(matrix[i, j]) <= 1.7e308:
                return False
    return True


@helper
def indefinite(P, L):
    """Whether the correlations of P have an eigenvalue below -NEGATIVE: then they plus NEGATIVE have no Cholesky factor L."""
    n = P.shape[0]
    for j in range(n):
        if not P[j, j] > 0.0:
            for i in range(n):
                L[i, j] = 0.0
                L[j, i] = 0.0
            continue
        total = 1.0 + NEGATIVE
        for k in range(j):
            total -= L[j, k] * L[j, k]
        if not total > 0.0:
            return True
        L[j, j] = np.sqrt(total)
        for i in range(j + 1, n):
            total = P[i, j] / np.sqrt(P[i, i]) / np.sqrt(P[j, j]) if P[i, i] > 0.0 else 0.0
            for k in range(j):
                total -= L[i, k] * L[j, k]
            L[i, j] = total / L[j, j]
    return False


@helper(_nrt=True)
def dot(A, B, out):
    """out = A B by BLAS, also for kernels that count no references; a call in a helper is compiled once for all kernels."""
    np.dot(A, B, out)


@helper(_nrt=True)
def t_dot(A, B, out):
    """out = A' B."""
    np.dot(A.T, B, out)


@helper(_nrt=True)
def dot_t(A, B, out):
    """out = A B'."""
    np.dot(A, B.T, out)


@helper
def symmetrise(A):
    """A becomes the mean of A and A'."""
    for i in range(A.shape[0]):
        for j in range(i):
            A[j, i] = 0.5 * (A[i, j] + A[j, i])
            A[i, j] = A[j, i]
