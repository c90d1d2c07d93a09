"""Does a network's stated posterior hold?"""
