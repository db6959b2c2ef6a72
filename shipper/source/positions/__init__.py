"""How far each file is safely shipped, and the file that outlives the process."""
