"""Word, PowerPoint and Excel files (Office Open XML) into sections.

Source: ECMA-376, 5th edition; both its transitional and its strict form, which differ in namespaces only.
"""
