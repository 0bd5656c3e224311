"""List the words that tell what a key's value is, in the languages that keys are written in."""

from __future__ import annotations

from typing import Final

from bear_otel.privacy.source import word_set

# class and kind, then comma-separated phrases: the words of a key, in lower case, without accents.
# `secret` and `personal` need no look at the value. `likely` words have harmless uses, so the value
# must have the shape of its kind as well (see assignments.py).
_TABLE: Final[dict[str, str]] = {
    "secret password": """
        pin, password, passwd, passwort, kennwort, passcode, passphrase, pass phrase, passwords,
        pwd, userpassword, user pass, userpass, dbpass, db pass, database pass, smtp pass,
        redis pass, root pass, mysql pwd, pgpassword, pg pass, pgpass, dbpassword, db password,
        mypass, pass word, master pass, keystore pass, storepass, keypass, cvv, cvc, cvn,
        cid code, cvv2, cvc2, card verification value, otp, totp, otp code, one time password,
        one time passcode, one time code, verification code, security code, two factor code,
        mfa code, mfa token, auth code, sms code, login code, confirmation code, pin code,
        pin number, pincode, card pin, user pin, security answer, secret answer, recovery code,
        recovery codes, backup codes, recovery phrase, seed phrase, mnemonic, mnemonic phrase,
        seed words, contrasena, contrasenia, clave, clave secreta, mot de passe, motdepasse,
        mdp, senha, wachtwoord, losenord, haslo, parola, sifre, salasana, adgangskode, passord,
        heslo, jelszo, geslo, lozinka, kodeord, пароль, пасворд, mật khẩu, mat khau, kata sandi,
        密码, 密碼, 口令, パスワード, 暗証番号, 비밀번호, סיסמה, كلمة المرور, रहस्य, κωδικος,
        πιν
    """,
    "secret token": """
        token, access token, refresh token, id token, auth token, bearer token, bearer, jwt,
        api key, apikey, api keys, x api key, xapikey, api token, apitoken, app key,
        application key,
        appkey, license key, licence key, secret key, secretkey, private key, privatekey,
        signing key, encryption key, decryption key, master key, access key, accesskey,
        access key id, accesskeyid, account key, accountkey, storage key, shared key,
        shared access key, shared access signature, sharedaccesskey, subscription key,
        instrumentation key, instrumentationkey, service key, client secret, clientsecret,
        app secret, appsecret, consumer secret, consumer key, webhook secret, signing secret,
        jwt secret, session secret, cookie secret, secret token, secret, secrets, session token,
        sessiontoken, session key, csrf token, csrftoken, csrf, xsrf token, csrfmiddlewaretoken,
        xsrf, authenticity token, request verification token, personal access token,
        accesstoken, refreshtoken, idtoken, authtoken, usertoken, user token, device token,
        push token, fcm token, apns token, registration token, reset token, resettoken,
        invite token, magic link, magic token, activation token, verification token,
        remember token, deploy token, bot token, ingest key, ingestion key, write key, read key,
        admin key, dd api key, authorization, authorisation, proxy authorization,
        www authenticate, authentication info, x amz security token, x amz signature,
        x amz credential, x goog signature, x goog credential, awsaccesskeyid, aws secret,
        azure key, ssh key, ssh private key, pgp key, gpg key, encryption secret, hmac key,
        hmac secret, pre shared key, psk, preshared key, wpa psk, wifi key, network key,
        secret id, code verifier, client assertion, saml response, samlresponse, assertion,
        authorization code, device code, jeton, clave api, clave privada, cle api, cle secrete,
        schlussel, api schlussel, geheimnis, токен, ключ, секрет, 令牌, 密钥, 秘密鍵, トークン,
        토큰
    """,
    "secret secret": """
        credential, credentials, creds, cred, login data, zugangsdaten, identifiants
    """,
    "secret cookie": """
        cookie, cookies, set cookie, set cookie2, http cookie, cookie header, cookie jar,
        jsessionid, phpsessid, asp net session id, aspsessionid, connect sid, sessionid,
        session cookie, sess id, sessid, auth cookie, cfid, cftoken, sid, remember me
    """,
    "personal session": """
        session id, session uuid, session hash, sid hash
    """,
    "secret card": """
        card number, cardnumber, card no, cardno, credit card, creditcard, credit card number,
        debit card, debit card number, cc number, ccnumber, cc num, ccnum, cc no,
        primary account number, payment card, kreditkarte, kreditkartennummer, kartennummer,
        numero de carte, numero de tarjeta, numero tarjeta, tarjeta de credito,
        numero do cartao, cartao de credito, kaartnummer, numer karty, номер карты, 卡号,
        信用卡号, カード番号, card num, card pan
    """,
    "personal email": """
        email, e mail, emails, mail address, mailaddress, email address, emailaddress,
        email addr, user email, useremail, mailto, recipient email, correo, correo electronico,
        courriel, e posta, eposta, adresse mail, adresse email, epost, e post, sahkoposti,
        emailadres, 邮箱, 电子邮件, 電子郵件, メールアドレス, メール, 이메일, электронная почта,
        эл почта, почта, ηλεκτρονικο ταχυδρομειο, reply to, x forwarded email, x user email,
        return path, mail from, rcpt to, email id, emailid, mailbox
    """,
    "personal phone": """
        phone, phones, phone number, phonenumber, phone no, phonenum, telephone,
        telephone number, tel, tel no, telnr, tel nr, tel number, mobile number, mobile phone,
        mobile no, mobilenumber, cell phone, cellphone, cell number, fax, fax number, msisdn,
        whatsapp, whatsapp number, contact number, callback number, home phone, work phone,
        telefon, telefonnummer, telefono, telefone, telefoon, telefoonnummer, telefonnr,
        handynummer, handy nr, handynr, mobilnummer, mobiltelefon, rufnummer,
        numero de telephone, numero telephone, portable tel, movil, celular, cellulare,
        numero di telefono, numero de telefono, telemovel, puhelin, puhelinnumero,
        numer telefonu, telefonszam, telefoni, cep telefonu, телефон, номер телефона, мобильный,
        τηλεφωνο, 电话, 电话号码, 手机, 手机号, 手机号码, 電話, 電話番号, 携帯, 携帯電話, 전화,
        전화번호, 휴대폰, caller id, callerid, caller number, ani, sms to, to number,
        from number
    """,
    "personal name": """
        first name, firstname, fname, last name, lastname, lname, surname, full name, fullname,
        given name, givenname, family name, familyname, middle name, middlename, maiden name,
        birth name, legal name, real name, realname, person name, customer name, patient name,
        employee name, member name, contact name, contact person, guest name, passenger name,
        student name, sender name, recipient name, receiver name, holder name, cardholder,
        card holder, cardholder name, card holder name, name on card, account holder,
        account holder name, holder, beneficiary, beneficiary name, payee name, payer name,
        buyer name, seller name, billing name, shipping name, ship to name, bill to name,
        applicant name, candidate name, author name, user full name, driver name,
        emergency contact, next of kin, spouse name, mother name, father name,
        mothers maiden name, preferred name, vorname, nachname, familienname, ansprechpartner,
        kontoinhaber, karteninhaber, prenom, nom de famille, nom complet, nom client, apellido,
        apellidos, nombre completo, nombre cliente, primer nombre, nombres, cognome,
        nome completo, nome cliente, sobrenome, nome do cliente, achternaam, voornaam,
        volledige naam, fornamn, efternamn, fornavn, etternavn, efternavn, fullt namn, etunimi,
        sukunimi, imie, nazwisko, imie i nazwisko, jmeno, prijmeni, keresztnev, vezeteknev,
        ad soyad, soyad, soyadi, имя, фамилия, отчество, фио, ονομα, επωνυμο, 姓名, 名字, 氏名,
        お名前, 名前, 이름, 성명, 성함, kundenname
    """,
    "personal user": """
        username, user name, userid, user id, uid user, login name, loginname, user login,
        userlogin, enduser, end user, customer id, customerid, patient id, patientid,
        employee id, employeeid, member id, memberid, person id, personid, subscriber id,
        student id, studentid, passenger id, guest id, account holder id, customer number,
        customer no, kundennummer, kunden nr, patient number, employee number, personalnummer,
        member number, mitgliedsnummer, remote user, x user, x user id, x forwarded user,
        x remote user, auth user, logged in user, current user, nickname, screen name,
        benutzername, benutzer, nutzername, nom utilisateur, nom d utilisateur, utilisateur,
        identifiant, nombre de usuario, nombre usuario, usuario, nome utente, utente,
        nome de usuario, gebruikersnaam, gebruiker, anvandarnamn, brukernavn, brugernavn,
        kayttajatunnus, nazwa uzytkownika, uzytkownik, kullanici adi, имя пользователя, логин,
        用户名, ユーザー名, 사용자 이름, impersonated user, acting user, on behalf of,
        twitter handle, github username, skype, telegram username
    """,
    "personal id": """
        ssn, social security, social security number, social security no, socialsecuritynumber,
        social insurance number, sin number, nino, national insurance,
        national insurance number, ni number, nhs number, nhs no, nhs, nhsnumber, tax id, taxid,
        tax number, tax no, tax payer id, taxpayer id, taxpayer identification number,
        tin number, itin, utr number, steuer id, steuerid, steuernummer, steuer nr,
        steueridentifikationsnummer, steuerliche identifikationsnummer, idnr,
        sozialversicherungsnummer, rentenversicherungsnummer, sv nummer, svnr, ahv nummer,
        ahv nr, ahv, personalausweis, personalausweisnummer, ausweisnummer, reisepass,
        reisepassnummer, nir, insee, numero insee, numero de securite sociale, securite sociale,
        numero secu, carte vitale, dni, nie, nif, numero de identificacion,
        documento de identidad, cedula, cedula de identidad, codice fiscale, codicefiscale, cpf,
        cnpj, rg number, aadhaar, aadhar, aadhaar number, adhaar, aadhaar no, pan number,
        pan card, pan no, voter id, pesel, bsn, burgerservicenummer, personnummer,
        personal number, fodselsnummer, cpr, cpr nummer, cpr number, hetu, henkilotunnus,
        isikukood, asmens kodas, rodne cislo, cnp, egn, oib, jmbg, amka, tc kimlik,
        tc kimlik no, tckn, teudat zehut, curp, rut, run number, cuit, cuil, nric, nric number,
        emirates id, iqama, my number, mynumber, マイナンバー, 身份证, 身份证号, 身份证号码,
        身份證, 주민등록번호, resident registration number, снилс, инн, паспорт, номер паспорта,
        passport, passport number, passport no, passportnumber, passeport, pasaporte, paszport,
        pasaport, passaporte, numero de passeport, driver license, drivers license,
        driver licence, driving license, driving licence, driving licence number,
        driver license number, drivers license number, license plate, licence plate,
        number plate, kennzeichen, fuhrerschein, fuhrerscheinnummer, permis de conduire,
        national id, nationalid, national id number, national number, identity number,
        identity card, identity card number, id card number, id card, id number, idnumber,
        identification number, government id, citizen id, tfn, tax file number, medicare number,
        medicare no, medicare, mrn, medical record number, health insurance number,
        health card number, insurance number, versichertennummer, krankenversichertennummer,
        policy holder id, crew id, visa number, birth certificate number, abha, ssnit, nin,
        ird number, pps number, ppsn, pps, ein, imss, social insurance
    """,
    "personal device": """
        imei, imsi, iccid, idfa, idfv, gaid, advertising id, android id, device id, deviceid,
        device uuid, udid
    """,
    "personal row": """
        statement parameters, query parameters, sql parameters, query params, sql params,
        db query parameter, db statement parameter, sql parameter, bind parameter,
        bound parameter, bind parameters, bind params, bind variables, bound parameters,
        query args, sql args,
        statement args, statement params, bind values
    """,
    "personal mac": """
        mac address, macaddress, mac addr, hwaddr, hw addr, ethernet address, bssid
    """,
    "personal iban": """
        iban, iban number, bank account, bank account number, account number, accountnumber,
        account no, accountno, acct number, acct no, kontonummer, konto nr, bankverbindung,
        routing number, sort code, bic swift, numero de compte, numero de cuenta, numero conto,
        rekeningnummer, numer konta, clabe, numer rachunku, bankkonto, ifsc
    """,
    "personal birthdate": """
        dob, date of birth, dateofbirth, birth date, birthdate, birthday, birth day, born,
        born on, year of birth, birth year, place of birth, birthplace, geburtsdatum,
        geburtstag, geb datum, geboren, geburtsort, date de naissance, date naissance,
        naissance, fecha de nacimiento, fecha nacimiento, nacimiento, data di nascita, nascita,
        data de nascimento, data nascimento, nascimento, geboortedatum, geboorte datum,
        fodelsedatum, fodselsdato, syntymaaika, data urodzenia, datum narozeni, szuletesi datum,
        dogum tarihi, дата рождения, ημερομηνια γεννησης, 出生日期, 生日, 生年月日, 誕生日,
        생년월일, patient dob
    """,
    "personal address": """
        street address, home address, billing address, shipping address, postal address,
        mailing address, delivery address, residential address, work address,
        physical address line, address line, addressline, addr line, street, street name,
        streetname, house number, housenumber, zip, zip code, zipcode, postal code, postalcode,
        postcode, post code, plz, postleitzahl, strasse, straße, hausnummer, anschrift,
        wohnadresse, lieferadresse, rechnungsadresse, adresse postale, code postal, rue, calle,
        domicilio, codigo postal, via indirizzo, indirizzo, cap codice, endereco, rua, cep,
        straat, postadress, gatuadress, postnummer, katuosoite, ulica, kod pocztowy, utca,
        iranyitoszam, адрес, улица, почтовый индекс, διευθυνση, 住址, 邮编, 住所, 郵便番号,
        우편번호, ship to, bill to, customer address, patient address, user address,
        contact address, lives at, resides at
    """,
    "personal personal": """
        gender, ethnicity, religion, marital status, sexual orientation, blood type,
        blood group, nationality, salary, annual salary, medical history, medical condition,
        political opinion, trade union membership, geschlecht, religionszugehorigkeit, gehalt
    """,
    "geo": """
        lat, latitude, lng, longitude, lon, long lat, latlng, latlon, lat lng, lat lon,
        lat long, coordinates, coordinate, coords, gps, gps location, gps coordinates,
        geolocation, geo location, geo point, geopoint, breitengrad, langengrad, latitud,
        longitud, широта, долгота, user location, location lat, location lon
    """,
    "ip": """
        ip, ip address, ipaddress, ip addr, ipaddr, client ip, clientip, remote ip, remote addr,
        remoteaddr, remote address, user ip, peer ip, source ip, src ip, srcip, x forwarded for,
        x real ip, cf connecting ip, true client ip, x client ip, forwarded, forwarded for,
        last login ip, login ip, http client ip, x cluster client ip, fastly client ip, ipv4,
        ipv6, ips, client addr, client address, peer addr, peer address,
        x original forwarded for, adresse ip, ip adresse
    """,
    "sql": """
        sql, sql query, sql statement, sql text, db statement
    """,
    "likely password": """
        pass, pw, secret code, passwort neu, pass code
    """,
    "likely token": """
        key, auth, signature, sig, hmac, nonce, salt, authentication, private, access, hash key,
        tokens, x auth, auth header, otp hash, code challenge, state token, basic, dsn key,
        license, licence
    """,
    "likely session": """
        session, sess
    """,
    "likely name": """
        owner, requested by, created by, updated by, principal, actor, member, handle, operator,
        assigned to, approved by, submitted by, modified by, deleted by, invited by,
        display name, displayname, name, nom, nombre, nome, naam, namn, navn, nimi, nev, nazwa,
        isim, customer, patient, employee, recipient, sender, passenger, contact, kunde,
        mitarbeiter, cliente, client name, payee, payer, person, tenant name, owner name,
        from name, to name, reviewer name, assignee name, assignee, manager name, creator name,
        editor name, approver, requested by name, kin
    """,
    "likely user": """
        user, login, usr, login user, impersonator, account user
    """,
    "likely email": """
        mail, from, to, cc, bcc, recipients, contact, sender
    """,
    "likely phone": """
        mobile, cell, handy, portable, caller, callee, called, sms
    """,
    "likely address": """
        address, addr, addresse, adresse, adres, adress, direccion, residence, residency,
        location address, wohnort
    """,
    "likely card": """
        card, cc, pan, kaart, karte, carte, tarjeta, cartao
    """,
    "likely id": """
        passport id, licence number, license number, document number, document no, personal id,
        personal code
    """,
    "likely iban": """
        account, acct, konto, bic, swift
    """,
    "likely birthdate": """
        birth, geb, birth info
    """,
    "likely device": """
        serial number, serialnumber
    """,
    "likely geo": """
        location, position, geo, lng lat, point
    """,
}
PHRASES: Final[dict[str, tuple[str, str]]] = {}
for _name, _phrases in _TABLE.items():
    _cls, _, _kind = _name.partition(" ")
    for _phrase in _phrases.replace("\n", " ").split(","):
        PHRASES.setdefault(" ".join(_phrase.split()), (_cls, _kind or _cls))
PHRASES.pop("", None)
# Keys are written without any sign between the words, too; `tonumber` is a function of Lua.
for _phrase, _class_and_kind in tuple(PHRASES.items()):
    _joined = _phrase.replace(" ", "")
    if _class_and_kind[0] in ("secret", "personal") and len(_joined) > 7 and _joined != "tonumber":
        PHRASES.setdefault(_joined, _class_and_kind)

# Words that make a secret wherever they stand, unless the last word says that it is about one.
STRONG: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("password", "passwd", "passwort", "pwd", "passphrase", "kennwort", "contrasena", "senha"),
        "password",
    ),
    **dict.fromkeys(("secret", "credential", "credentials", "apikey", "cookie"), "secret"),
}
# Last words that only say which one it is, or how it is written.
NEUTRAL: Final = word_set("""
    value values text str string raw plain plaintext clear cleartext data old new current previous
    confirm confirmation confirmed again repeat retype hash hashed digest encrypted enc encoded
    base b64 hex header default primary secondary main home work private business mobile emergency
    alt alternate from to cc recipient input param arg field1 orig original masked
""")
# Last words that make the whole a statement about the thing, not the thing.
META: Final = word_set("""
    count counts length len size sizes limit limits type types kind policy policies duration ttl
    expiry expires expire expiration expired expiring at on in date day days time timestamp
    timeout seconds ms minutes hours version status state enabled disabled required valid invalid
    verified validated verification validation validator strength attempts attempt retries retry
    age arn url uri path file filename endpoint scope scopes issuer audience algorithm alg method
    mode format field fields column index prefix suffix provider manager service store storage
    rotation rotated reset set changed updated created deleted usage used remaining budget rate
    per min max total bucket cache class source model template error errors reason message label
    labels placeholder domain host port vendor country region ref refs reference present missing
    exists empty flag ok success failed failure result id name names number handler factory helper
    util utils middleware backend module config configuration settings options option schema regex
    pattern rule rules check checked checker generator parser encoder decoder tokenizer table
    tables list form view page template templates event events job queue topic consent banner
    support supported available action actions request requests response
""")
