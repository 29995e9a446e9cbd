"""Shim: everything declarative is in setup.cfg; the C++ extension will be added here."""

from setuptools import setup

setup()
