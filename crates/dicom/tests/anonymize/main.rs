//! De-identified copies: nothing of the person in them, everything of the image.

mod leave;
