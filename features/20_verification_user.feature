Feature: A known person with known data
  What this person stored on the source must be found on the dest, by the same keys.

  Scenario: The source serves the verification data set
    When the verification user is created on the source
    Then the source serves the verification data set

  @probe
  Scenario: The verification user can sign in on the source
    When the verification user signs in on the source with the right password
    Then the sign-in is accepted

  @probe
  Scenario: A wrong password is refused by the source
    When the verification user signs in on the source with a wrong password
    Then the sign-in is refused

  Scenario: A token that nobody has is refused
    Then a token that nobody has is refused by the source

  Scenario: The health check account has a token that does not expire
    Then the health check token is accepted by the source and does not expire
