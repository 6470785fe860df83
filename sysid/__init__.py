"""sysid: classical systems identification in which reservoirs are state-space models.

    x[t+1] = f(x[t], u[t]) + w[t],    y[t] = g(x[t], u[t]) + v[t]

Nouns (Data, LTI, ESN, Process, ...) and verbs (simulate, filter, fit, certify, ...); a method is an object.
"""

from importlib import import_module as _import_module
from typing import Any as _Any

__version__ = "0.1.0"

# The whole public surface in layer order. A name is imported when it is first used, so that `import sysid` stays
# light; `__init__.pyi` repeats the list for editors and type checkers, and a test holds the two together.
_PUBLIC = {
    "core.data": ["Data"],
    "core.gaussian": ["Diffuse", "Gaussian", "Stationary"],
    "core.initial": ["Blocks", "Estimated"],
    "core.status": ["Status"],
    "core.scaling": ["Scaling"],
    "core.storage": ["load", "save"],
    "linear.low_rank": ["LowRankGramian", "low_rank_gramian"],
    "linear.structured": ["diagonal_kernel", "low_rank_kernel"],
    "models.activation": ["Activation"],
    "models.analysis": [
        "controllability_gramian", "controllability_matrix", "controllability_rank", "gramian_horizon", "h2_norm",
        "hankel_singular_values", "hinf_norm", "input_energy", "is_bibo_stable", "l1_gain", "minimal", "modal_form",
        "observability_gramian", "observability_matrix", "observability_rank", "output_spectrum", "stable_part",
    ],
    "models.bilinear": ["Bilinear"],
    "models.bilinear_analysis": ["gramian_rate", "volterra_kernel"],
    "models.esn": ["ESN"],
    "models.interconnection": ["feedback", "parallel", "series"],
    "models.frozen": ["FrozenTime", "frozen_time"],
    "models.lti": ["LTI"],
    "models.ltv": ["LTV"],
    "models.memory": [
        "Resonances", "e_folding_time", "half_life", "memory_capacity", "memory_horizon", "memory_spectrum",
        "rate_for_half_life", "resonances",
    ],
    "models.nonlinear": ["Nonlinear"],
    "models.process": ["Process"],
    "models.zoo": ["hippo_legs", "s4d"],
    "models.process_forms": ["innovation_form", "transform_process"],
    "models.deep_esn": ["DeepESN"],
    "models.gated_esn": ["GatedESN"],
    "models.field_esn": ["ConvolutionalESN", "GraphESN"],
    "models.continuous_esn": ["ContinuousESN"],
    "transforms.linearize": ["linearize"],
    "transforms.reduce": ["Reduction", "reduce", "reduce_sparse"],
    "transforms.coloured": ["with_coloured_noise"],
    "transforms.discretize": ["discretize", "leak_from_time_constant", "to_continuous"],
    "transforms.lift": ["SurrogateError", "lift", "remainder_bound", "surrogate_error", "validity_radius"],
    "transforms.carleman": ["Carleman"],
    "transforms.lure": ["RandomFeatures"],
    "transforms.koopman": ["DelayEmbedding", "Fourier", "Observables", "Polynomial", "Preactivation", "RadialBasis", "RandomFourier", "Union"],
    "transforms.structure": ["diagonal_form", "diagonal_plus_low_rank"],
    "inference.simulate": ["Simulation", "simulate"],
    "inference.long_run": ["LongRun", "simulate_outputs"],
    "inference.local_structure": ["LocalStructure", "empirical_gramians", "local_structure"],
    "inference.kalman": ["Kalman"],
    "inference.ekf": ["ExtendedKalman", "IteratedKalman"],
    "inference.ukf": ["CubatureKalman", "GaussHermiteKalman", "UnscentedKalman"],
    "inference.rts": ["RTS"],
    "inference.fixed_lag": ["BrysonFrazier", "FixedLag"],
    "inference.iterated": ["IteratedSmoother"],
    "inference.robust": ["Huber", "RobustKalman", "RobustSmoother", "StudentT"],
    "inference.consistency": ["Consistency", "consistency"],
    "inference.posterior": ["sample_posterior"],
    "inference.laws": ["States"],
    "inference.results": ["Filtered", "Forecast", "Smoothed"],
    "inference.filter": ["filter"],
    "inference.smooth": ["smooth"],
    "inference.predict": ["predict"],
    "inference.forecast": ["forecast"],
    "certificates.cascade": ["Cascade"],
    "certificates.certificate": ["Certificate", "Contraction", "Gain", "Stability"],
    "certificates.certify": ["certify"],
    "certificates.continuous": ["ContinuousContraction", "largest_euler_step"],
    "certificates.contraction": ["CircleCriterion", "DiagonalScaling", "NormBound", "PerronBound"],
    "certificates.field": ["FrequencyCircle"],
    "certificates.gain": ["autocorrelation_bound", "disturbance_radius", "effective_sample_size", "input_to_state_gain", "law_contraction", "linearization_tube", "washout_length"],
    "certificates.gated": ["GateVertices", "GatedLMI"],
    "certificates.ladder": ["Ladder"],
    "certificates.lmi": ["LMI", "VertexLMI"],
    "certificates.local": ["InvariantBox", "Tube"],
    "certificates.lure": ["LureCircle", "LureSystem"],
    "certificates.network": ["LeakyNetwork"],
    "certificates.polytope": ["CommonLyapunov"],
    "certificates.project": ["CertifiedSet", "project_to_certified"],
    "certificates.scaling": ["largest_certified_scale", "scale_to_certified"],
    "certificates.synthesis": ["nearest_certified", "synthesize"],
    "identification.arx": ["ARX", "PolynomialFit"],
    "identification.bilinear": ["BilinearSubspace", "BilinearSubspaceFit"],
    "identification.em": ["EM", "EMFit"],
    "identification.era": ["ERA", "ERAFit"],
    "identification.excitation": ["Excitation", "excitation"],
    "identification.fit": ["Fit", "fit"],
    "identification.nonparametric": ["FrequencyEstimate", "empirical_response", "estimated_delay", "impulse_response_estimate",
                                     "spectral_response"],
    "identification.polynomial": ["ARMAX", "BoxJenkins", "OutputError"],
    "identification.prediction_error": ["PredictionError", "PredictionErrorFit"],
    "identification.subspace": ["Subspace", "SubspaceFit"],
    "identification.residuals": ["Correlation"],
    "identification.uncertainty": ["Band", "Uncertainty"],
    "identification.edmd": ["EDMD"],
    "identification.validate": ["Validation", "validate"],
    "identification.order_scan": ["OrderScan", "order_scan"],
    "reservoirs.direct": ["ReservoirLikelihood"],
    "reservoirs.hyperparameters": ["ReservoirEM"],
    "reservoirs.profile": ["Profile", "profile_likelihood"],
    "reservoirs.reservoir_fit": ["ReservoirFit"],
    "reservoirs.selection": ["Selection", "select_reservoir"],
    "reservoirs.shaping": ["ShapedFit", "SubspaceShaping"],
    "reservoirs.readout": ["Readout"],
    "reservoirs.bayesian": ["BayesianReadout"],
    "reservoirs.streaming": ["StreamingReadout"],
    "reservoirs.recursive": ["RecursiveReadout"],
    "reservoirs.online": ["OnlineReadout", "switch_reservoirs"],
    "reservoirs.schedule": ["NoiseSchedule"],
    "reservoirs.estimator": ["ESNRegressor"],
    "spectral.ar_stu": ["ARSTU"],
    "spectral.filters": ["FilterBank", "spectral_filters"],
    "spectral.spectral_filtering": ["SpectralFiltering", "SpectralStatistics"],
    "spectral.stu": ["STU"],
    "spectral.lru": ["LRU"],
    "spectral.lru_training": ["LRUTraining"],
    "spectral.online": ["OnlineSpectralFiltering"],
    "spectral.stu_training": ["STUTraining"],
    "spectral.realization": ["Realization", "realize"],
    "spectral.autoregression": ["finite_autoregression"],
    "spectral.bounds": ["error_bound", "filters_needed"],
}
_NAMESPACES = ["datasets", "learning", "reservoirs"]
_HOME = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = sorted([*_HOME, *_NAMESPACES])


def __getattr__(name: str) -> _Any:
    if name in _HOME:
        value = getattr(_import_module(f".{_HOME[name]}", __name__), name)
    elif name in _NAMESPACES:
        value = _import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module 'sysid' has no attribute {name!r}", name=name, obj=_import_module(__name__))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
