"""The report: its page and sections, the paper's claims, and the checks that it says what the tables say."""
