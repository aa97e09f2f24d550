"""Keys, and what they sign: images for Secure Boot, policies of PCR 11, the variables of firmware.

It is the one folder that reads private keys, always by its caller's word. No step imports it.
"""
