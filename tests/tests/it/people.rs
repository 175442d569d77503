//! People who sign in with the company's OpenID provider.

mod bed;
