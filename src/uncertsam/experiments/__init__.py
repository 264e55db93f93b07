"""The experiments beside the plain comparison, a package each; what two of them share lies here."""
