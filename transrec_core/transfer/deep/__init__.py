"""Networks that make the prior: trained by Keras (extra ``deep``), used by NumPy.

A trained network is a handful of arrays, so that lists, saved runs and pages need no Keras.
"""
