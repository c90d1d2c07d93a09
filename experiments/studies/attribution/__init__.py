"""Does an attribution find the cause?"""
