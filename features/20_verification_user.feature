Feature: A known person with known data
  What this person stored on the source must be found on the dest, by the same keys; what is refused must stay refused.

  Scenario: The source serves the verification data set
    When the verification user is created on the source
    Then the source serves the verification data set

  @probe
  Scenario Outline: The <credential> is let in by the source
    When the <credential> is shown to the source
    Then it is let in

    Examples:
      | credential     |
      | password       |
      | personal token |
      | shared token   |
      | app token      |
      | readToken link |

  @probe
  Scenario Outline: The <credential> is refused by the source
    When the <credential> is shown to the source
    Then it is refused for what it is

    Examples:
      | credential                 |
      | wrong password             |
      | unknown token              |
      | revoked token              |
      | password of a deleted user |
      | readToken link of nobody   |

  Scenario: The health check account has a token that does not expire
    Then the health check token is accepted by the source and does not expire

  Scenario: What the source's core says of itself is known
    When what the source's core says of itself is noted
    Then the record holds what the source's core says of itself
