"""Does estimation without an arterial input grade gliomas better than a fit with one?"""
