"""The pages a person clicks on."""
